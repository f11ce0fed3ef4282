"""claim(): what is returned is running, for this worker and for nobody else."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome


def test_what_is_claimed_is_running(queue: Queue) -> None:
    ping = queue.eye.deploy("PING", p_num_attempts=4)
    job_id = queue.eye.enqueue("PING", "[1]")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    assert (job.job_id, job.attempt, job.definition_id, job.num_attempts) == (job_id, 1, ping, 4)
    assert (job.payload, job.job_group, job.group_hash, job.is_suspect) == ("[1]", None, None, False)
    assert queue.counts() == {"job": 1, "running": 1}
    assert (queue.state(job_id), queue.job(job_id, "worker_id")) == ("running", worker_id)


def test_no_job_goes_to_two_claimers(queue: Queue) -> None:
    """E7: the second passes over what the first has in hand, and does not wait for it."""
    queue.eye.deploy("PING")
    job_ids = queue.eye.enqueue_many("PING", [str(n) for n in range(10)])
    one, two = queue.session(), queue.session()
    one.begin()
    first = one.claim(one.register(), limit=4)
    second = two.claim(two.register(), limit=100)
    one.commit()
    assert [job.job_id for job in first] == job_ids[:4]
    assert [job.job_id for job in second] == job_ids[4:]


def test_what_a_claim_gave_up_is_there_for_the_next(queue: Queue) -> None:
    """M2: a claim that is rolled back took nothing."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    grouped_id = queue.eye.enqueue("PING", job_group="a")
    delayed_id = queue.eye.enqueue("PING", delay_secs=1.0)
    queue.make_due()
    one = queue.session()
    worker_id = one.register()
    one.begin()
    assert len(one.claim(worker_id)) == 3
    one.rollback()
    assert {job.job_id for job in one.claim(worker_id)} == {job_id, grouped_id, delayed_id}


def test_a_lane_is_first_in_first_out(queue: Queue) -> None:
    """E5: over definitions, calls and claims of any size; each payload once."""
    queue.eye.deploy("PING")
    queue.eye.deploy("PONG")
    put_in: list[int] = []
    for n in range(30):
        put_in += queue.eye.enqueue_many(("PING", "PONG")[n % 2], ["1"] * (n % 4 + 1))
    worker_id = queue.eye.register()
    taken: list[int] = []
    for limit in (1, 7, 3, 1000):
        taken += [job.job_id for job in queue.eye.claim(worker_id, limit=limit)]
    assert taken == put_in


def test_a_higher_priority_goes_first(queue: Queue) -> None:
    """E6: whenever it came, first in first out among equals."""
    queue.eye.deploy("PING")
    queue.eye.deploy("URGENT", p_priority=10)
    low = queue.eye.enqueue("PING", priority=-5)
    normal = [queue.eye.enqueue("PING") for _ in range(3)]
    high = [queue.eye.enqueue("URGENT") for _ in range(2)]
    worker_id = queue.eye.register()
    taken = [job.job_id for job in queue.eye.claim(worker_id, limit=4)]
    taken += [job.job_id for job in queue.eye.claim(worker_id, limit=4)]
    assert taken == [*high, *normal, low]


def test_only_the_channels_named_are_served(queue: Queue) -> None:
    """E2: and null means all."""
    queue.eye.deploy("MAIL", p_channel="mail")
    queue.eye.deploy("POST", p_channel="post")
    mail, post = queue.eye.enqueue("MAIL"), queue.eye.enqueue("POST")
    worker_id = queue.eye.register()
    mail_channel = queue.eye.value("select id from {schema}.channel where name = 'mail'")
    assert [job.job_id for job in queue.eye.claim(worker_id, channel_ids=[mail_channel])] == [mail]
    assert queue.eye.claim(worker_id, channel_ids=[]) == []
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [post]


def test_what_a_worker_does_not_know_it_never_claims(queue: Queue) -> None:
    """F9: ready, grouped or due, the job stays for who knows it, and does not stand in the way."""
    known = queue.eye.deploy("KNOWN")
    orphan = queue.eye.deploy("ORPHAN")
    ready = queue.eye.enqueue("ORPHAN")
    grouped = queue.eye.enqueue("ORPHAN", job_group="a")
    due = queue.eye.enqueue("ORPHAN", delay_secs=1.0)
    queue.make_due(0.0)
    mine = queue.eye.enqueue("KNOWN")
    worker_id = queue.eye.register()
    for _ in range(3):
        taken = [job.job_id for job in queue.eye.claim(worker_id, [known])]
        assert set(taken) <= {mine}
    assert queue.state(mine) == "running"
    assert {queue.state(job_id) for job_id in (ready, grouped, due)} == {"queued"}
    queue.make_due()
    assert {job.job_id for job in queue.eye.claim(worker_id, [orphan])} == {ready, grouped, due}


def test_the_limit_bounds_jobs_and_turns_together(queue: Queue) -> None:
    """Each turn holds a lock of the server's small table, so one claim takes no more than p_limit."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 20, [f"g{n}" for n in range(20)])
    queue.eye.enqueue_many("PING", ["1"] * 20)
    one = queue.session()
    worker_id = one.register()
    one.begin()
    assert len(one.claim(worker_id, limit=7, slice=100)) == 7
    held = queue.eye.value("select count(*) from pg_locks where locktype = 'advisory' and pid = %s", one.pid)
    assert held == 7
    one.commit()


def test_a_marked_claim_starts_at_its_mark(queue: Queue) -> None:
    """What stands behind a mark is left to a claim without marks."""
    queue.eye.deploy("PING")
    behind, ahead = queue.eye.enqueue("PING"), queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    lane_id = queue.eye.value("select lane_id from {schema}.ready limit 1")
    mark = queue.job(ahead, "run_at")
    assert [job.job_id for job in queue.eye.claim(worker_id, marks={lane_id: mark})] == [ahead]
    assert queue.eye.claim(worker_id, marks={lane_id: mark + timedelta(seconds=1)}) == []
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [behind]


def test_what_came_due_is_found_behind_the_mark(queue: Queue) -> None:
    """D5: a due job stands at its own moment, and the claim that moved it looks there."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", delay_secs=5.0)
    queue.make_due(100.0)
    worker_id = queue.eye.register()
    now = queue.eye.value("select clock_timestamp()")
    lane_id = queue.eye.value("select lane_id from {schema}.scheduled")
    assert [job.job_id for job in queue.eye.claim(worker_id, marks={lane_id: now})] == [job_id]


def test_a_worker_taken_for_dead_claims_nothing(queue: Queue) -> None:
    """E15: CQ002, and every job stands where it stood."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    queue.silence(worker_id)
    queue.eye.rescue()
    with pytest.raises(psycopg.Error, match="taken for dead") as caught:
        queue.eye.claim(worker_id)
    assert caught.value.sqlstate == "CQ002"
    assert queue.counts() == {"job": 2, "ready": 2, "waiting": 1}


def test_a_suspect_is_claimed_alone(queue: Queue) -> None:
    """F6: whatever else stands there, and though others stand before it."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    for _ in range(2):
        worker_id = queue.eye.register()
        queue.eye.claim(worker_id)
        queue.silence(worker_id)
        queue.eye.rescue()
    others = queue.eye.enqueue_many("PING", ["1"] * 5)
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    assert (job.job_id, job.is_suspect, job.stall_count) == (job_id, True, 2)
    assert [job.job_id for job in queue.eye.claim(worker_id)] == others


@pytest.mark.parametrize("group", [None, "a"])
@pytest.mark.parametrize("outcome", ["error", "snoozed"])
def test_a_suspect_that_was_put_off_is_still_one(queue: Queue, outcome: str, group: str | None) -> None:
    """F6: after an error or a snooze it is claimed alone again, and before those beside it."""
    queue.eye.deploy("PING", p_num_attempts=9, p_num_stalls=3)
    job_id = queue.eye.enqueue("PING", job_group=group)
    for _ in range(2):
        worker_id = queue.eye.register()
        queue.eye.claim(worker_id)
        queue.silence(worker_id)
        queue.eye.rescue()
    worker_id = queue.eye.register()
    for _ in range(2):
        (job,) = queue.eye.claim(worker_id)
        assert (job.job_id, job.is_suspect) == (job_id, True)
        others = queue.eye.enqueue_many("PING", ["1"] * 3)
        given = [Outcome(job_id, job.attempt, outcome, "error", ERROR)]
        groups = [] if job.group_hash is None else [job.group_hash]
        assert queue.eye.settle(worker_id, given, groups)[job_id] == "scheduled"
        queue.make_due()
    (job,) = queue.eye.claim(worker_id)
    assert (job.job_id, job.is_suspect, job.stall_count) == (job_id, True, 2)
    assert set(others) < {job.job_id for job in queue.eye.claim(worker_id)}


def test_a_suspect_turn_that_was_put_off_is_still_one(queue: Queue) -> None:
    """F6: a worker that does not know the definition puts the turn off; the next one claims it alone."""
    known, unknown = queue.eye.deploy("PING"), queue.eye.deploy("PONG")
    job_id = queue.eye.enqueue("PONG", job_group="a")
    for _ in range(2):
        worker_id = queue.eye.register()
        queue.eye.claim(worker_id)
        queue.silence(worker_id)
        queue.eye.rescue()
    worker_id = queue.eye.register()
    assert queue.eye.claim(worker_id, [known]) == []
    queue.make_due()
    queue.eye.enqueue("PING")
    (job,) = queue.eye.claim(worker_id, [known, unknown])
    assert (job.job_id, job.is_suspect) == (job_id, True)


def test_two_suspects_go_one_by_one(queue: Queue) -> None:
    queue.eye.deploy("PING", p_num_stalls=1)
    job_ids = [queue.eye.enqueue("PING"), queue.eye.enqueue("PING", job_group="a")]
    worker_id = queue.eye.register()
    assert len(queue.eye.claim(worker_id)) == 2
    queue.silence(worker_id)
    assert queue.eye.rescue() == dict.fromkeys(job_ids, "queued")
    worker_id = queue.eye.register()
    one, two = queue.eye.claim(worker_id), queue.eye.claim(worker_id)
    assert (len(one), len(two)) == (1, 1)
    assert {one[0].job_id, two[0].job_id} == set(job_ids)
    assert one[0].is_suspect
    assert two[0].is_suspect


def test_the_attempt_counts_errors_and_stalls(queue: Queue) -> None:
    """F5: each run of a job has a number of its own, which the fence is made of."""
    queue.eye.deploy("PING", p_num_attempts=5)
    queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    queue.eye.settle(worker_id, [Outcome(job.job_id, 1, "error", "error", ERROR)])
    queue.make_due()
    (job,) = queue.eye.claim(worker_id)
    queue.silence(worker_id)
    queue.eye.rescue()
    (job,) = queue.eye.claim(queue.eye.register())
    assert (job.attempt, job.error_count, job.stall_count) == (3, 1, 1)
