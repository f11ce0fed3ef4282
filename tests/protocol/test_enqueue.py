"""enqueue() and enqueue_many(): inserts and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue


def test_an_ungrouped_job_stands_ready(queue: Queue) -> None:
    """C1: one row of the letter, one entry where it may be claimed."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", '{"message": "hello"}')
    assert queue.counts() == {"job": 1, "ready": 1}
    assert queue.state(job_id) == "queued"
    assert queue.job(job_id, "payload") == {"message": "hello"}


def test_many_come_back_in_the_order_of_their_payloads(queue: Queue) -> None:
    """C3: all ids, ascending, each with its own payload."""
    queue.eye.deploy("PING")
    job_ids = queue.eye.enqueue_many("PING", [str(n) for n in range(500)])
    assert job_ids == sorted(job_ids)
    assert [queue.job(job_id, "payload") for job_id in job_ids[:3]] == [0, 1, 2]
    assert [job.job_id for job in queue.eye.claim(queue.eye.register(), limit=500)] == job_ids


def test_many_are_put_in_together_or_not_at_all(queue: Queue) -> None:
    """C3: one payload that is not JSON, and none of them is there."""
    queue.eye.deploy("PING")
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        queue.eye.enqueue_many("PING", ["1", "not json", "3"])
    assert queue.counts() == {}


@pytest.mark.parametrize("groups", [[None, "a", "a" * 501], [None, "a", ""]])
def test_a_group_out_of_bounds_is_refused(queue: Queue, groups: list[str | None]) -> None:
    queue.eye.deploy("PING")
    with pytest.raises(psycopg.Error, match="from 1 to 500 characters"):
        queue.eye.enqueue_many("PING", ["1", "2", "3"], groups)
    assert queue.counts() == {}


def test_more_groups_than_payloads_is_an_error(queue: Queue) -> None:
    """A list that slipped by one would give each job the group of another."""
    queue.eye.deploy("PING")
    with pytest.raises(psycopg.Error, match="1 payloads, with 2 groups") as refused:
        queue.eye.enqueue_many("PING", ["1"], ["a", "b"])
    assert refused.value.sqlstate == "CQ003"
    assert queue.counts() == {}


def test_no_payloads_are_no_jobs(queue: Queue) -> None:
    queue.eye.deploy("PING")
    assert queue.eye.enqueue_many("PING", []) == []
    assert queue.counts() == {}


def test_a_group_gets_one_turn_a_call_however_many_jobs_it_gets(queue: Queue) -> None:
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1", "2", "3", "4"], ["a", "a", "b", None])
    assert queue.counts() == {"job": 4, "waiting": 3, "ready": 3}


def test_what_is_not_given_comes_from_the_definition(queue: Queue) -> None:
    """C6: and what is given overrides it."""
    queue.eye.deploy("PING", p_channel="mail", p_priority=3, p_num_attempts=4, p_num_stalls=5)
    plain = queue.eye.enqueue("PING")
    other = queue.eye.enqueue("PING", channel="post", priority=-1, num_attempts=7, num_stalls=0)
    columns = ("channel", "priority", "num_attempts", "num_stalls")
    assert [queue.job(plain, column) for column in columns] == ["mail", 3, 4, 5]
    assert [queue.job(other, column) for column in columns] == ["post", -1, 7, 0]


def test_a_delay_is_counted_from_now(queue: Queue) -> None:
    """C4: not before its time, by the database's clock."""
    queue.eye.deploy("PING")
    before = queue.eye.value("select clock_timestamp()")
    job_id = queue.eye.enqueue("PING", delay_secs=60.0)
    after = queue.eye.value("select clock_timestamp()")
    minute = timedelta(seconds=60)
    assert before + minute <= queue.job(job_id, "run_at") <= after + minute
    assert queue.state(job_id) == "scheduled"
    assert queue.eye.claim(queue.eye.register()) == []


def test_the_definitions_delay_holds_unless_a_call_says_zero(queue: Queue) -> None:
    queue.eye.deploy("PING", p_delay_secs=60.0)
    assert queue.state(queue.eye.enqueue("PING")) == "scheduled"
    assert queue.state(queue.eye.enqueue("PING", delay_secs=0.0)) == "queued"


def test_a_moment_ahead_is_kept_exactly(queue: Queue) -> None:
    """C5: an absolute start time."""
    queue.eye.deploy("PING")
    moment = datetime(2999, 12, 31, 23, 59, 59, 123456, tzinfo=UTC)
    job_id = queue.eye.enqueue("PING", run_at=moment)
    assert queue.job(job_id, "run_at") == moment
    assert queue.state(job_id) == "scheduled"


def test_a_moment_in_the_past_means_now(queue: Queue) -> None:
    """C5, E5: nobody gets ahead of those who stand in line by naming an early hour."""
    queue.eye.deploy("PING")
    first = queue.eye.enqueue("PING")
    second = queue.eye.enqueue("PING", run_at=datetime(1990, 1, 1, tzinfo=UTC))
    assert queue.state(second) == "queued"
    assert [job.job_id for job in queue.eye.claim(queue.eye.register())] == [first, second]


@pytest.mark.parametrize(
    "options",
    [
        {"delay_secs": -0.001},
        {"delay_secs": float("nan")},
        {"delay_secs": float("inf")},
        {"delay_secs": 1.1e10},
        {"run_at": "infinity"},
        {"run_at": "-infinity"},
        {"delay_secs": 1.0, "run_at": "2030-01-01"},
    ],
)
def test_a_time_that_makes_no_sense_is_refused(queue: Queue, options: dict[str, Any]) -> None:
    queue.eye.deploy("PING")
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.enqueue("PING", **options)
    assert caught.value.sqlstate == "CQ003"
    assert queue.counts() == {}


@pytest.mark.parametrize("is_known", [False, True])
def test_what_is_not_deployed_cannot_be_enqueued(queue: Queue, is_known: bool) -> None:
    """B4: the error names the definition and says what to do."""
    if is_known:
        queue.eye.deploy("PING")
        assert queue.eye.value("select {schema}.undeploy('PING')") is True
    with pytest.raises(psycopg.Error, match='"PING" is not deployed') as caught:
        queue.eye.enqueue("PING")
    assert caught.value.sqlstate == "CQ001"
    assert "Deploy" in (caught.value.diag.message_hint or "")
    assert queue.counts() == {}


def test_a_rollback_leaves_nothing(queue: Queue) -> None:
    """C7, M2: the job exists if and only if the caller's transaction commits."""
    queue.eye.deploy("PING")
    producer = queue.session()
    producer.begin()
    producer.enqueue("PING")
    producer.enqueue("PING", job_group="a")
    producer.enqueue("PING", delay_secs=10.0)
    producer.enqueue("PING", channel="new")
    assert queue.counts() == {}
    producer.rollback()
    assert queue.counts() == {}
    assert queue.eye.rows("select from {schema}.channel where name = 'new'") == []


def test_an_enqueue_is_seen_when_its_transaction_commits(queue: Queue) -> None:
    """C7: not before; and a claim meanwhile does not wait for it."""
    queue.eye.deploy("PING")
    producer, worker_id = queue.session(), queue.eye.register()
    producer.begin()
    job_id = producer.enqueue("PING")
    assert queue.eye.claim(worker_id) == []
    producer.commit()
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [job_id]


def test_producers_never_wait_for_each_other(queue: Queue) -> None:
    """Two open transactions of the same group: neither holds a lock that the other could want."""
    queue.eye.deploy("PING")
    first, second = queue.session(), queue.session()
    for producer in (first, second):
        producer.begin()
        producer.rows("set local lock_timeout = '1ms'")
        producer.enqueue("PING", job_group="a")
    held = queue.eye.rows(
        "select mode from pg_locks where pid = any(%s) and locktype in ('advisory', 'tuple')"
        " or (pid = any(%s) and locktype = 'relation'"
        " and mode not in ('AccessShareLock', 'RowExclusiveLock'))",
        [first.pid, second.pid], [first.pid, second.pid],
    )  # fmt: skip
    assert held == []
    first.commit()
    second.commit()
    assert queue.counts() == {"job": 2, "waiting": 2, "ready": 2}


def test_two_who_make_the_same_lane_end_with_one(queue: Queue) -> None:
    """The only wait of an enqueue: for another that is making the same new channel."""
    queue.eye.deploy("PING")
    first, second = queue.session(), queue.session()
    first.begin()
    first.enqueue("PING", channel="new")
    waiting = second.start(second.enqueue, "PING", channel="new")
    queue.wait_until_blocked(second, by=first)
    first.commit()
    waiting.result(timeout=10)
    assert queue.eye.value("select count(*) from {schema}.channel where name = 'new'") == 1
    assert queue.eye.value("select count(distinct lane_id) from {schema}.ready") == 1


def test_the_maker_of_a_lane_may_still_roll_back(queue: Queue) -> None:
    queue.eye.deploy("PING")
    first, second = queue.session(), queue.session()
    first.begin()
    first.enqueue("PING", channel="new")
    waiting = second.start(second.enqueue, "PING", channel="new")
    queue.wait_until_blocked(second, by=first)
    first.rollback()
    job_id = waiting.result(timeout=10)
    assert queue.job(job_id, "channel") == "new"


def test_workers_are_told_once_a_transaction_and_only_at_its_commit(queue: Queue) -> None:
    """E24: a hint for the channel; a silent enqueue sends none."""
    queue.eye.deploy("PING")
    listener, producer = queue.session(), queue.session()
    listener.rows('listen "cuckmq.{schema_name}"')
    producer.begin()
    producer.enqueue("PING")
    producer.enqueue("PING")
    producer.commit()
    producer.enqueue_many("PING", ["1"], p_is_silent=True)
    channel_id = queue.eye.value("select id from {schema}.channel where name = '_default'")
    assert [note.payload for note in listener.connection.notifies(timeout=0.2)] == [f"ready {channel_id}"]
