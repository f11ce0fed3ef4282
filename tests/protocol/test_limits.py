"""Limits of channels and definitions, in the queue's SQL (take_limited, charge, put_quota and siblings)."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome, Session


def limit(session: Session, channel: str, **limits: Any) -> None:
    """Limit a channel, and do not wait for claims that cannot be under way."""
    named = "".join(f", p_{key} => %s" for key in limits)
    session.rows(f"select {{schema}}.limit_channel(%s{named})", channel, *limits.values())
    open_up(session)


def limit_definition(session: Session, name: str, **limits: Any) -> None:
    named = "".join(f", p_{key} => %s" for key in limits)
    session.rows(f"select {{schema}}.limit_definition(%s{named})", name, *limits.values())
    open_up(session)


def open_up(session: Session) -> None:
    """Let the second pass in which a limit that is new takes nothing."""
    session.rows("update {schema}.quota set opens_at = now() - interval '1 s' where is_recount_due")


def age(session: Session, secs: float) -> None:
    """Let so many seconds pass for what was taken."""
    session.rows(
        "update {schema}.quota set opens_at = opens_at - %s * interval '1 s', taken_ats = array("
        "select t - %s * interval '1 s' from unnest(taken_ats) t)",
        secs, secs,
    )  # fmt: skip


def test_nothing_is_claimed_from_a_paused_channel(queue: Queue) -> None:
    """E22: enqueues go on, what was scheduled stays, others are served; and then it goes on."""
    queue.eye.deploy("PING", p_channel="one")
    queue.eye.deploy("PONG", p_channel="two")
    worker_id = queue.eye.register()
    assert queue.eye.value("select {schema}.pause_channel('one', true)") is True
    assert queue.eye.value("select {schema}.pause_channel('one', true)") is False
    ready = queue.eye.enqueue("PING")
    grouped = queue.eye.enqueue("PING", job_group="a")
    later = queue.eye.enqueue("PING", delay_secs=60)
    urgent = queue.eye.enqueue("PING", priority=9)
    queue.make_due(100)
    other = queue.eye.enqueue("PONG")
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [other]
    assert queue.eye.value("select {schema}.secs_until_due(null)") is None
    assert queue.eye.value("select {schema}.pause_channel('one', false)") is True
    assert {job.job_id for job in queue.eye.claim(worker_id)} == {ready, grouped, later, urgent}


def test_no_more_than_the_limit_run_at_once(queue: Queue) -> None:
    """E21: whatever way a job leaves: settled, failed, put off, given back, cancelled, rescued."""
    queue.eye.deploy("PING", p_channel="one", p_num_attempts=9, p_num_stalls=9)
    limit(queue.eye, "one", concurrency=2)
    one, two = queue.eye.register(), queue.eye.register()
    queue.eye.enqueue_many("PING", ["1"] * 20)

    def take(worker_id: int, number: int) -> Any:
        jobs = queue.eye.claim(worker_id)
        assert len(jobs) == number
        return jobs

    first, second = take(one, 2)
    take(two, 0)
    queue.eye.succeed(one, [first])
    (third,) = take(two, 1)
    queue.eye.settle(one, [Outcome(second.job_id, second.attempt, "error", detail=ERROR, delay_secs=60.0)])
    (fourth,) = take(one, 1)
    queue.eye.settle(two, [Outcome(third.job_id, third.attempt, "snoozed", delay_secs=60.0)])
    take(two, 1)
    queue.eye.recall(one)
    take(one, 1)
    queue.eye.cancel(fourth.job_id)
    queue.eye.retire(one)
    take(two, 1)
    queue.silence(two)
    queue.eye.rescue()
    take(queue.eye.register(), 2)
    assert queue.count("slot") == 2


def test_two_claims_at_once_are_counted_one_after_the_other(queue: Queue) -> None:
    """E21: the second waits for the first to commit, and gets what is left."""
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", concurrency=3)
    queue.eye.enqueue_many("PING", ["1"] * 10)
    one, two = queue.session(), queue.session()
    first, second = one.register(), two.register()
    one.begin()
    assert len(one.claim(first, limit=2)) == 2
    claiming = two.start(two.claim, second, limit=5)
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert len(claiming.result()) == 1


def test_the_lanes_of_a_channel_share_its_limit_by_priority(queue: Queue) -> None:
    """E21, E6: the urgent ones get what there is."""
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", concurrency=3)
    low = queue.eye.enqueue_many("PING", ["1"] * 5)
    high = queue.eye.enqueue_many("PING", ["1"] * 2, p_priority=5)
    jobs = queue.eye.claim(queue.eye.register())
    assert [job.job_id for job in jobs] == [*high, low[0]]


def test_no_more_than_the_rate_within_any_span(queue: Queue) -> None:
    """E19: and who has to wait is told how long."""
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", rate=5, rate_secs=60.0)
    queue.eye.enqueue_many("PING", ["1"] * 20)
    worker_id = queue.eye.register()
    assert len(queue.eye.claim(worker_id, limit=3)) == 3
    age(queue.eye, 30)
    assert len(queue.eye.claim(worker_id)) == 2
    assert queue.eye.claim(worker_id) == []
    assert 29 < queue.eye.value("select {schema}.secs_until_due(null)") <= 30.4
    age(queue.eye, 31)
    assert len(queue.eye.claim(worker_id)) == 3, "the span slides: the two of before count still"
    age(queue.eye, 30)
    assert len(queue.eye.claim(worker_id)) == 2


def test_a_job_is_claimed_before_it_is_charged(queue: Queue) -> None:
    """By the moments of its jobs, too, no span has more than its rate."""
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", rate=1000, rate_secs=0.1)
    worker_id = queue.eye.register()
    for _ in range(12):
        queue.eye.enqueue("PING")
        (job,) = queue.eye.claim(worker_id)
        claimed_at = queue.eye.value("select claimed_at from {schema}.running where job_id = %s", job.job_id)
        assert claimed_at <= queue.eye.value("select max(t.at) from {schema}.quota, unnest(taken_ats) t(at)")


def test_a_busy_rate_remembers_no_more_than_two_hundred_moments(queue: Queue) -> None:
    """E19: takes of one step are one moment, rounded up."""
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", rate=100_000, rate_secs=3600.0)
    queue.eye.enqueue_many("PING", ["1"] * 300)
    worker_id = queue.eye.register()
    for _ in range(30):
        assert len(queue.eye.claim(worker_id, limit=10)) == 10
    ((ats, counts),) = queue.eye.rows("select taken_ats, taken_counts from {schema}.quota")
    assert sum(counts) == 300
    assert len(ats) <= 2
    assert queue.eye.value("select %s > now()", ats[-1]) is True


def test_a_limit_of_a_definition_holds_over_channels(queue: Queue) -> None:
    """E20, E21: its jobs have lanes of their own, so others do not stand behind them."""
    queue.eye.deploy("SLOW", p_is_limited=True, p_concurrency=2)
    queue.eye.deploy("FAST")
    slow = [queue.eye.enqueue("SLOW", channel=channel) for channel in ("one", "two", "three", "one")]
    fast = queue.eye.enqueue("FAST")
    one, two = queue.eye.register(), queue.eye.register()
    jobs = queue.eye.claim(one)
    assert len(jobs) == 3
    assert fast in {job.job_id for job in jobs}
    assert queue.eye.claim(two) == []
    queue.eye.succeed(one, [job for job in jobs if job.job_id in slow][:1])
    assert len(queue.eye.claim(two)) == 1


def test_a_rate_of_a_definition(queue: Queue) -> None:
    """E20: beside the limit of its channel; the narrower one decides."""
    queue.eye.deploy("SEND", p_channel="one", p_is_limited=True, p_rate=3, p_rate_secs=60.0)
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", concurrency=4)
    queue.eye.enqueue_many("SEND", ["1"] * 9)
    worker_id = queue.eye.register()
    assert len(queue.eye.claim(worker_id)) == 3
    queue.eye.enqueue_many("PING", ["1"] * 9)
    assert len(queue.eye.claim(worker_id)) == 1


def test_a_limit_set_while_jobs_run_counts_them(queue: Queue) -> None:
    """E21: those that were claimed before anyone knew of it, too, and a claim that is under way."""
    queue.eye.deploy("PING", p_channel="one")
    queue.eye.enqueue_many("PING", ["1"] * 20)
    one, two = queue.session(), queue.session()
    holder = one.register()
    running = one.claim(holder, limit=2)
    under_way = two.register()
    two.begin()
    assert len(two.claim(under_way, limit=3)) == 3
    queue.eye.rows("select {schema}.limit_channel('one', p_concurrency => 6)")
    assert queue.eye.claim(queue.eye.register()) == [], "for a second nothing is taken"
    two.commit()
    open_up(queue.eye)
    assert len(queue.eye.claim(queue.eye.register())) == 1
    assert queue.count("running") == 6
    limit(queue.eye, "one", concurrency=1)
    assert queue.eye.claim(queue.eye.register()) == []
    queue.eye.succeed(holder, running)
    limit(queue.eye, "one")
    assert len(queue.eye.claim(queue.eye.register())) == 14, "without a limit all the rest"


def test_a_definition_that_gets_a_limit_moves_to_lanes_of_its_own(queue: Queue) -> None:
    """E20: with its jobs, wherever they stand; those of others stay."""
    queue.eye.deploy("PING")
    queue.eye.deploy("PONG")
    plain = queue.eye.enqueue_many("PING", ["1"] * 3)
    urgent = queue.eye.enqueue("PING", priority=4)
    grouped = [queue.eye.enqueue("PING", job_group="a") for _ in range(2)]
    later = queue.eye.enqueue("PING", delay_secs=60)
    other = queue.eye.enqueue("PONG", job_group="a")
    limit_definition(queue.eye, "PING", concurrency=2)
    assert queue.eye.problems() == []
    added = queue.eye.enqueue("PING")
    queue.make_due(100)
    worker_id = queue.eye.register()
    seen: list[int] = []
    while jobs := queue.eye.claim(worker_id):
        assert sum(job.job_id != other for job in jobs) <= 2
        seen += [job.job_id for job in jobs]
        queue.eye.succeed(worker_id, jobs)
    assert sorted(seen) == sorted([*plain, urgent, *grouped, later, other, added])
    assert seen.index(urgent) < seen.index(plain[0])
    queue.eye.deploy("PING", p_priority=7)
    assert queue.eye.value(
        "select l.definition_id > 0 and l.priority = 7 and l.is_limited from {schema}.job_definition d"
        " join {schema}.lane l on l.id = d.lane_id where d.name = 'PING'"
    ), "a deployment that says nothing of limits leaves them"


def test_a_turn_in_a_limited_lane_takes_one_job(queue: Queue) -> None:
    """E21, E8: a slice is never more than the limit allows."""
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", concurrency=3)
    queue.eye.enqueue_many("PING", ["1"] * 12, ["a", "b", "c", "d"] * 3)
    worker_id = queue.eye.register()
    seen = 0
    while jobs := queue.eye.claim(worker_id, slice=50):
        assert len(jobs) <= 3
        assert len({job.group_hash for job in jobs}) == len(jobs)
        seen += len(jobs)
        queue.eye.succeed(worker_id, jobs)
    assert seen == 12


def test_a_suspect_in_a_limited_lane_is_claimed_alone(queue: Queue) -> None:
    """F6: and one in a lane without limits does not wait for the limited ones to be empty."""
    queue.eye.deploy("PING", p_channel="one", p_num_stalls=2)
    queue.eye.deploy("PONG", p_channel="two", p_num_stalls=2)
    limit(queue.eye, "one", concurrency=50)
    suspects = {}
    for name in ("PING", "PONG"):
        suspects[name] = queue.eye.enqueue(name)
        for _ in range(2):
            worker_id = queue.eye.register()
            assert len(queue.eye.claim(worker_id)) == 1
            queue.silence(worker_id)
            queue.eye.rescue()
        if name == "PING":
            alone = queue.eye.register()
            assert [(j.job_id, j.is_suspect) for j in queue.eye.claim(alone)] == [(suspects[name], True)]
    queue.eye.enqueue_many("PING", ["1"] * 9)
    assert [(j.job_id, j.is_suspect) for j in queue.eye.claim(alone)] == [(suspects["PONG"], True)]
    assert len(queue.eye.claim(alone)) == 9


@pytest.mark.parametrize(
    "call",
    [
        "limit_channel('one', p_concurrency => 0)",
        "limit_channel('one', p_rate => 5)",
        "limit_channel('one', p_rate => 5, p_rate_secs => 0)",
        "limit_channel('one', p_rate => 5, p_rate_secs => 1e9)",
        "limit_channel('one', p_max_size => 0)",
        "limit_definition('PING', p_concurrency => -1)",
        "limit_group('a', 0)",
        "limit_group('a', 1001)",
    ],
)
def test_limits_that_cannot_be(queue: Queue, call: str) -> None:
    queue.eye.deploy("PING", p_channel="one")
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.rows(f"select {{schema}}.{call}")
    assert caught.value.sqlstate == "CQ003"


@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("limit_channel('none', p_concurrency => 1)", "CQ405"),
        ("pause_channel('none', true)", "CQ405"),
        ("limit_definition('NONE', p_concurrency => 1)", "CQ404"),
    ],
)
def test_there_is_nothing_to_limit(queue: Queue, call: str, sqlstate: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.rows(f"select {{schema}}.{call}")
    assert caught.value.sqlstate == sqlstate


def test_a_channel_holds_no_more_than_its_size(queue: Queue) -> None:
    """C14: scheduled and grouped jobs count, running ones do not; and producers count one another."""
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", max_size=4)
    queue.eye.enqueue("PING", delay_secs=60)
    queue.eye.enqueue("PING", job_group="a")
    assert queue.eye.enqueue_many("PING", ["1"] * 3, p_on_full="refuse") is None
    assert queue.count("job") == 2
    one, two = queue.session(), queue.session()
    one.begin()
    assert len(one.enqueue_many("PING", ["1"] * 2, p_on_full="refuse")) == 2
    refused = two.start(two.enqueue_many, "PING", ["1"], p_on_full="refuse")
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert refused.result() is None
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.enqueue("PING")
    assert caught.value.sqlstate == "CQ429"
    assert queue.eye.enqueue_many("PING", ["1"], p_on_full="ignore")
    assert queue.eye.enqueue("PING", channel="two"), "another channel is another matter"
    assert len(queue.eye.claim(queue.eye.register())) == 5
    assert queue.eye.enqueue("PING")


def test_who_rolls_back_leaves_the_room_to_others(queue: Queue) -> None:
    """C14: what did not commit does not stand there."""
    queue.eye.deploy("PING", p_channel="one")
    limit(queue.eye, "one", max_size=1)
    one, two = queue.session(), queue.session()
    one.begin()
    one.enqueue("PING")
    waiting = two.start(two.enqueue_many, "PING", ["1"], p_on_full="refuse")
    queue.wait_until_blocked(two, by=one)
    one.rollback()
    assert len(waiting.result()) == 1
