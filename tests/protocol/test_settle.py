"""settle(): an outcome counts if, and only if, its attempt is still running for who gives it."""

from __future__ import annotations

import pytest

from cuckmq import outcome as outcomes
from cuckmq.protocol.exchange import Demand, exchange
from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome

COLUMNS = ("state", "reason", "attempt", "error_count", "stall_count")


def test_a_success_moves_the_job_to_history(queue: Queue) -> None:
    """G1, G7: with its result and its times."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", "[1]", job_group="a")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    verdicts = queue.eye.settle(worker_id, [Outcome(job_id, 1, detail='{"n": 1}')], [queue.group_hash("a")])
    assert verdicts == {queue.group_hash("a"): "emptied"}
    assert queue.counts() == {}
    assert [queue.job(job_id, column) for column in COLUMNS] == ["succeeded", None, 1, 0, 0]
    assert (queue.job(job_id, "result"), queue.job(job_id, "payload")) == ({"n": 1}, [1])
    assert (queue.job(job_id, "worker_id"), queue.job(job_id, "job_group")) == (worker_id, "a")
    times = [queue.job(job_id, f"{what}_at") for what in ("created", "run", "claimed", "finalized")]
    assert times[0] <= times[2] <= times[3]
    assert times[1] == job.run_at


def test_an_error_with_tries_left_is_tried_again_after_its_delay(queue: Queue) -> None:
    """F1, F2, G2: counted, told, and not before its time."""
    queue.eye.deploy("PING", p_num_attempts=2)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    assert queue.eye.settle(worker_id, [Outcome(job_id, 1, "error", "error", ERROR, 60.0)]) == {
        job_id: "scheduled"
    }
    assert [queue.job(job_id, column) for column in COLUMNS] == ["scheduled", None, 1, 1, 0]
    assert queue.job(job_id, "errors")[0]["message"] == "no"
    assert 59 < queue.eye.value("select {schema}.secs_until_due(null)") <= 60
    assert queue.eye.claim(worker_id) == []


def test_out_of_tries_means_failed_at_once(queue: Queue) -> None:
    """F8: by the settlement itself, with every error told."""
    queue.eye.deploy("PING", p_num_attempts=2)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    for attempt, verdict in ((1, "scheduled"), (2, "failed")):
        (job,) = queue.eye.claim(worker_id)
        assert job.attempt == attempt
        given = [Outcome(job_id, attempt, "error", "timeout", ERROR)]
        assert queue.eye.settle(worker_id, given) == {job_id: verdict}
        queue.make_due()
    assert [queue.job(job_id, column) for column in COLUMNS] == ["failed", "timeout", 2, 2, 0]
    assert len(queue.job(job_id, "errors")) == 2


def test_an_error_without_a_delay_is_the_last(queue: Queue) -> None:
    """F4: whatever tries are left; it counts as an error, and has failed for its reason."""
    queue.eye.deploy("PING", p_num_attempts=9)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    given = [Outcome(job_id, 1, "error", "error", ERROR, None)]
    assert queue.eye.settle(worker_id, given) == {job_id: "failed"}
    assert [queue.job(job_id, column) for column in COLUMNS] == ["failed", "error", 1, 1, 0]
    assert queue.job(job_id, "errors")[0]["message"] == "no"
    assert queue.counts() == {}


def test_a_failure_stands_whatever_tries_are_left(queue: Queue) -> None:
    """F7: and it is no error of a try."""
    queue.eye.deploy("PING", p_num_attempts=9)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    given = [Outcome(job_id, 1, "failed", "invalid_payload", ERROR)]
    assert queue.eye.settle(worker_id, given) == {job_id: "failed"}
    assert [queue.job(job_id, column) for column in COLUMNS] == ["failed", "invalid_payload", 1, 0, 0]


def test_a_snooze_costs_nothing(queue: Queue) -> None:
    """F1: however often; a job of one try still has it."""
    queue.eye.deploy("PING", p_num_attempts=1)
    job_id = queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    group = [queue.group_hash("a")]
    for num_snoozes in range(1, 4):
        (job,) = queue.eye.claim(worker_id)
        assert job.attempt == num_snoozes
        verdicts = queue.eye.settle(
            worker_id, [Outcome(job_id, job.attempt, "snoozed", delay_secs=60.0)], group
        )
        assert verdicts[job_id] == "scheduled"
        assert [queue.job(job_id, column) for column in COLUMNS] == ["scheduled", None, num_snoozes, 0, 0]
        queue.make_due()
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
    assert queue.state(job_id) == "succeeded"


def test_what_was_sent_for_an_earlier_run_changes_nothing(queue: Queue) -> None:
    """E15: snoozed or given back and claimed again by the very same worker, a job has another number."""
    queue.eye.deploy("PING", p_num_attempts=1)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    (first,) = queue.eye.claim(worker_id)
    snooze = [Outcome(job_id, first.attempt, "snoozed", delay_secs=0.0)]
    assert queue.eye.settle(worker_id, snooze) == {job_id: "scheduled"}
    (second,) = queue.eye.claim(worker_id)
    assert queue.eye.settle(worker_id, snooze) == {job_id: "lost"}
    assert queue.eye.value("select {schema}.recall(%s, '{}')", worker_id) == [job_id]
    (third,) = queue.eye.claim(worker_id)
    assert [first.attempt, second.attempt, third.attempt] == [1, 2, 3]
    late = [Outcome(job_id, second.attempt, "failed", "error", ERROR)]
    assert queue.eye.settle(worker_id, late) == {job_id: "lost"}
    queue.eye.succeed(worker_id, [third])
    assert [queue.job(job_id, column) for column in COLUMNS] == ["succeeded", None, 3, 0, 0]


def test_a_cancellation_is_an_end_without_a_reason(queue: Queue) -> None:
    queue.eye.deploy("PING", p_num_attempts=9)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    assert queue.eye.settle(worker_id, [Outcome(job_id, 1, "cancelled")]) == {job_id: "cancelled"}
    assert [queue.job(job_id, column) for column in COLUMNS] == ["cancelled", None, 1, 0, 0]


@pytest.mark.parametrize("outcome", ["succeeded", "error", "failed", "cancelled", "snoozed"])
def test_what_is_not_ones_own_is_lost(queue: Queue, outcome: str) -> None:
    """E15: another worker, another attempt, no such job; nothing changes."""
    queue.eye.deploy("PING", p_num_attempts=9)
    job_id = queue.eye.enqueue("PING")
    worker_id, stranger = queue.eye.register(), queue.eye.register()
    queue.eye.claim(worker_id)
    reason = "error" if outcome in {"error", "failed"} else None
    for who, given_id, attempt in ((stranger, job_id, 1), (worker_id, job_id, 2), (worker_id, job_id + 1, 1)):
        given = [Outcome(given_id, attempt, outcome, reason, ERROR)]
        assert queue.eye.settle(who, given) == {given_id: "lost"}
    assert queue.counts() == {"job": 1, "running": 1}
    assert queue.count("finalized") == 0


def test_the_same_outcome_twice_counts_once(queue: Queue) -> None:
    """E15: a worker that does not know whether it was heard may say it again."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    jobs = queue.eye.claim(worker_id)
    one, two = queue.session(), queue.session()
    one.begin()
    assert one.succeed(worker_id, jobs) == {}
    again = two.start(two.succeed, worker_id, jobs)
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert again.result(timeout=10) == {job_id: "lost"}
    assert queue.count("finalized") == 1


@pytest.mark.parametrize(("outcome", "state"), [("succeeded", "succeeded"), ("error", "scheduled")])
def test_a_job_that_is_moved_meanwhile_is_not_lost(queue: Queue, outcome: str, state: str) -> None:
    """E15: who waits for the running row finds it in another version, in another place of the table."""
    queue.eye.deploy("PING", p_num_attempts=2)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    one, two = queue.session(), queue.session()
    one.begin()
    one.rows("update {schema}.running set lane_id = lane_id")  # as move_jobs() does
    reason, detail, delay_secs = ("error", ERROR, 60.0) if outcome == "error" else (None, "1", None)
    given = [outcomes.Outcome(job_id, 1, outcome, reason, detail, delay_secs)]
    statement = exchange(worker_id, given, [], Demand(None, []))
    answer = two.start(two.rows, statement.sql, *statement.parameters)
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert all(row[0] != "lost" for row in answer.result(timeout=10))
    assert queue.job(job_id, "state") == state


def test_a_settlement_rolled_back_may_be_given_again(queue: Queue) -> None:
    """M2, M3: nothing of it has happened."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    jobs = queue.eye.claim(worker_id)
    one = queue.session()
    one.begin()
    one.succeed(worker_id, jobs)
    one.rollback()
    assert queue.counts() == {"job": 1, "running": 1}
    assert queue.eye.succeed(worker_id, jobs) == {}


def test_a_batch_may_hold_every_kind_of_outcome(queue: Queue) -> None:
    """E25: one call; each job ends as it was told, and the lost one harms no other."""
    queue.eye.deploy("PING", p_num_attempts=2)
    job_ids = queue.eye.enqueue_many("PING", ["1"] * 6)
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    verdicts = queue.eye.settle(
        worker_id,
        [
            Outcome(job_ids[0], 1, "succeeded", None, "1"),
            Outcome(job_ids[1], 1, "error", "error", ERROR, 5.0),
            Outcome(job_ids[2], 1, "failed", "error", ERROR),
            Outcome(job_ids[3], 1, "cancelled"),
            Outcome(job_ids[4], 1, "snoozed", delay_secs=5.0),
            Outcome(job_ids[5], 7, "succeeded", None, "1"),
        ],
    )
    told = ["scheduled", "failed", "cancelled", "scheduled", "lost"]
    assert verdicts == dict(zip(job_ids[1:], told, strict=True))
    states = ["succeeded", "scheduled", "failed", "cancelled", "scheduled", "running"]
    assert [queue.state(job_id) for job_id in job_ids] == states


def test_a_retried_job_keeps_its_group_and_lane(queue: Queue) -> None:
    """E8: while it waits for its next try, others of the group go on."""
    queue.eye.deploy("PING", p_num_attempts=2)
    job_id = queue.eye.enqueue("PING", job_group="a", channel="mail", priority=4)
    other = queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id, limit=1)
    assert job.job_id == job_id
    queue.eye.settle(worker_id, [Outcome(job_id, 1, "error", "error", ERROR, 60.0)], [queue.group_hash("a")])
    jobs = queue.eye.claim(worker_id)
    assert [job.job_id for job in jobs] == [other]
    queue.eye.succeed(worker_id, jobs)
    queue.make_due()
    (job,) = queue.eye.claim(worker_id)
    assert (job.job_id, job.job_group, job.attempt) == (job_id, "a", 2)
    assert (queue.job(job_id, "channel"), queue.job(job_id, "priority")) == ("mail", 4)


def test_two_workers_settle_and_claim_without_waiting(queue: Queue) -> None:
    """No lock of one worker's settlement stands in another's way."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 4, ["a", "b", None, None])
    one, two = queue.session(), queue.session()
    workers = [one.register(), two.register()]
    jobs = [one.claim(workers[0], limit=2), two.claim(workers[1], limit=2)]
    two.rows("set lock_timeout = '1ms'")
    one.begin()
    one.succeed(workers[0], jobs[0])
    two.begin()
    assert set(two.succeed(workers[1], jobs[1]).values()) <= {"emptied"}
    one.commit()
    two.commit()
    assert queue.counts() == {}
