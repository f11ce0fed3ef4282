"""cancel(): whatever else happens to the job at that moment."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome

PLACES: dict[str, dict[str, Any]] = {
    "ready": {},
    "waiting": {"job_group": "a"},
    "scheduled": {"delay_secs": 60.0},
}


@pytest.mark.parametrize("place", PLACES)
def test_what_has_not_started_never_will(queue: Queue, place: str) -> None:
    """C10, C13: from wherever it stands; in history, with no attempt."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", "[1]", **PLACES[place])
    assert queue.eye.cancel(job_id) == "cancelled"
    assert (queue.job(job_id, "state"), queue.job(job_id, "attempt")) == ("cancelled", 0)
    queue.make_due()
    assert queue.eye.claim(queue.eye.register()) == []
    assert queue.counts() == {}


def test_a_job_that_is_not_there_cannot_be_cancelled(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    assert queue.eye.cancel(job_id + 1) is None
    queue.eye.cancel(job_id)
    assert queue.eye.cancel(job_id) is None


def test_what_runs_is_asked_to_stop(queue: Queue) -> None:
    """C12: its worker hears of it at once, and with its next beat; the job is still its own."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    jobs = queue.eye.claim(worker_id)
    listener = queue.session()
    listener.rows('listen "cuckmq.{schema_name}"')
    assert queue.eye.cancel(job_id) == "requested"
    assert queue.eye.cancel(job_id) == "requested"
    note = next(listener.connection.notifies(timeout=5, stop_after=1))
    assert note.payload == f"cancel {job_id}"
    assert queue.eye.heartbeat(worker_id, jobs) == (True, [], [job_id])
    assert queue.job(job_id, "is_cancel_requested") is True
    assert queue.eye.succeed(worker_id, jobs) == {queue.group_hash("a"): "emptied"}
    assert queue.state(job_id) == "succeeded"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_cancellation_waits_for_the_claim_that_has_the_job(queue: Queue, place: str, end: str) -> None:
    """C10: then it asks the worker to stop, or finds the job where it was."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", **PLACES[place])
    queue.make_due()
    one, two = queue.session(), queue.session()
    worker_id = one.register()
    one.begin()
    assert len(one.claim(worker_id)) == 1
    cancelling = two.start(two.cancel, job_id)
    queue.wait_until_blocked(two, by=one)
    one.rows(end)
    assert cancelling.result(timeout=10) == ("requested" if end == "commit" else "cancelled")
    assert queue.state(job_id) == ("running" if end == "commit" else "cancelled")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_claim_passes_over_what_is_being_cancelled(queue: Queue, place: str, end: str) -> None:
    """C10: it does not wait; when the cancellation is taken back, the job is there again."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", **PLACES[place])
    queue.make_due()
    one, two = queue.session(), queue.session()
    worker_id = two.register()
    two.rows("set lock_timeout = '1s'")
    one.begin()
    assert one.cancel(job_id) == "cancelled"
    assert two.claim(worker_id) == []
    one.rows(end)
    queue.make_due()
    assert [job.job_id for job in two.claim(worker_id)] == ([] if end == "commit" else [job_id])


@pytest.mark.parametrize("group", [None, "a"])
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_cancellation_waits_for_a_promotion(queue: Queue, group: str | None, end: str) -> None:
    """C13: the job cannot slip from `scheduled` to `ready` past the eyes of a cancellation."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", delay_secs=60.0, job_group=group)
    queue.make_due()
    one, two = queue.session(), queue.session()
    one.begin()
    one.rows("select {schema}.promote(array(select id from {schema}.lane), 10)")
    cancelling = two.start(two.cancel, job_id)
    queue.wait_until_blocked(two, by=one)
    one.rows(end)
    assert cancelling.result(timeout=10) == "cancelled"
    queue.eye.claim(queue.eye.register())
    assert queue.counts() == {}


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_promotion_passes_over_what_is_being_cancelled(queue: Queue, end: str) -> None:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", delay_secs=60.0)
    queue.make_due()
    one, two = queue.session(), queue.session()
    two.rows("set lock_timeout = '1s'")
    one.begin()
    assert one.cancel(job_id) == "cancelled"
    assert two.value("select {schema}.promote(array(select id from {schema}.lane), 10)") is None
    one.rows(end)
    assert queue.state(job_id) == ("cancelled" if end == "commit" else "scheduled")


SETTLED = {"succeeded": None, "failed": None, "error": "cancelled", "snoozed": "cancelled"}


@pytest.mark.parametrize("outcome", SETTLED)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_cancellation_waits_for_a_settlement(queue: Queue, outcome: str, end: str) -> None:
    """C10: what has ended cannot be cancelled; what waits for its next try can."""
    queue.eye.deploy("PING", p_num_attempts=5)
    job_id = queue.eye.enqueue("PING")
    one, two = queue.session(), queue.session()
    worker_id = one.register()
    one.claim(worker_id)
    one.begin()
    reason = "error" if outcome in {"failed", "error"} else None
    one.settle(worker_id, [Outcome(job_id, 1, outcome, reason, ERROR, 60.0)])
    cancelling = two.start(two.cancel, job_id)
    queue.wait_until_blocked(two, by=one)
    one.rows(end)
    verdict = cancelling.result(timeout=10)
    assert verdict == (SETTLED[outcome] if end == "commit" else "requested")
    if end == "rollback":
        assert queue.state(job_id) == "running"
    elif verdict is None:
        assert queue.state(job_id) == outcome
    else:
        assert queue.state(job_id) == "cancelled"


@pytest.mark.parametrize("outcome", SETTLED)
def test_a_settlement_waits_for_a_cancellation_and_then_stands(queue: Queue, outcome: str) -> None:
    """C12: an end stands; what would run again is cancelled, for that was asked."""
    queue.eye.deploy("PING", p_num_attempts=5)
    job_id = queue.eye.enqueue("PING")
    one, two = queue.session(), queue.session()
    worker_id = one.register()
    one.claim(worker_id)
    one.begin()
    assert one.cancel(job_id) == "requested"
    reason = "error" if outcome in {"failed", "error"} else None
    settling = two.start(two.settle, worker_id, [Outcome(job_id, 1, outcome, reason, ERROR, 60.0)])
    queue.wait_until_blocked(two, by=one)
    one.commit()
    settling.result(timeout=10)
    assert queue.state(job_id) == (outcome if outcome in {"succeeded", "failed"} else "cancelled")


@pytest.mark.parametrize("outcome", SETTLED)
def test_a_cancellation_between_the_two_locks_of_a_settlement(queue: Queue, outcome: str) -> None:
    """No deadlock, no promise broken: the settlement has the running row and wants the job's, which we have.

    The cancellation does not wait for the running row. It leaves word, and the settlement heeds it.
    """
    queue.eye.deploy("PING", p_num_attempts=5)
    job_id = queue.eye.enqueue("PING")
    holder, settler = queue.session(), queue.session()
    worker_id = holder.register()
    settler.claim(worker_id)
    holder.begin()
    holder.rows("select from {schema}.job where id = %s for update", job_id)
    reason = "error" if outcome in {"failed", "error"} else None
    settling = settler.start(settler.settle, worker_id, [Outcome(job_id, 1, outcome, reason, ERROR, 60.0)])
    queue.wait_until_blocked(settler, by=holder)
    assert holder.cancel(job_id) == "requested"
    holder.commit()
    settling.result(timeout=10)
    assert queue.state(job_id) == (SETTLED[outcome] or outcome)


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_cancellation_does_not_wait_for_the_transaction_of_an_attempt(queue: Queue, end: str) -> None:
    """C12: it is told at once, though the attempt holds its own row; the end that commits with it stands."""
    queue.eye.deploy("PING", p_num_attempts=5)
    job_id = queue.eye.enqueue("PING")
    one, two = queue.session(), queue.session()
    worker_id = one.register()
    jobs = one.claim(worker_id)
    one.begin()
    one.rows("select {schema}.fence(%s, %s, 1)", job_id, worker_id)
    two.rows("set lock_timeout = '1s'")
    assert two.cancel(job_id) == "requested"
    assert two.heartbeat(worker_id, jobs) == (True, [], [job_id])
    if end == "commit":
        one.settle(worker_id, [Outcome(job_id, 1)])
    one.rows(end)
    if end == "rollback":
        one.settle(worker_id, [Outcome(job_id, 1, "error", "error", ERROR, 60.0)])
    assert queue.state(job_id) == ("succeeded" if end == "commit" else "cancelled")


def test_a_cancellation_is_of_one_attempt_and_forgotten_with_it(queue: Queue) -> None:
    """A job that is retried after its cancellation is not cancelled again."""
    queue.eye.deploy("PING", p_num_attempts=5)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    assert queue.eye.cancel(job_id) == "requested"
    queue.eye.purge(older_than_secs=3600.0)
    assert queue.count("cancellation") == 1
    queue.eye.settle(worker_id, [Outcome(job_id, 1, "error", "error", ERROR, 60.0)])
    assert queue.state(job_id) == "cancelled"
    queue.eye.rows("select {schema}.retry(array[%s]::bigint[])", job_id)
    jobs = queue.eye.claim(worker_id)
    assert queue.job(job_id, "is_cancel_requested") is False
    assert queue.eye.heartbeat(worker_id, jobs) == (True, [], [])
    queue.eye.settle(worker_id, [Outcome(job_id, jobs[0].attempt, "error", "error", ERROR, 60.0)])
    assert queue.state(job_id) == "scheduled"
    queue.eye.purge(older_than_secs=3600.0)
    assert queue.count("cancellation") == 0


@pytest.mark.parametrize("way", ["settle", "recall"])
def test_cancellations_in_the_order_of_ids_meet_no_settlement_in_a_circle(queue: Queue, way: str) -> None:
    """Whatever the order in which the batch names its jobs: it takes them by their ids, as the other does."""
    queue.eye.deploy("PING", p_num_attempts=5)
    job_ids = [queue.eye.enqueue("PING") for _ in range(20)]
    one, two = queue.session(), queue.session()
    worker_id = one.register()
    one.claim(worker_id)
    one.begin()
    assert one.cancel(job_ids[0]) == "requested"
    outcomes = [Outcome(job_id, 1, "error", "error", ERROR, 60.0) for job_id in reversed(job_ids)]
    arguments = (two.settle, worker_id, outcomes) if way == "settle" else (two.recall, worker_id)
    giving = two.start(*arguments)
    queue.wait_until_blocked(two, by=one)
    assert {one.cancel(job_id) for job_id in job_ids[1:]} == {"requested"}
    one.commit()
    giving.result(timeout=10)
    assert {queue.state(job_id) for job_id in job_ids} == {"cancelled"}


@pytest.mark.parametrize("victim", ["settlement", "cancellation"])
def test_a_circle_of_a_transaction_and_a_settlement_loses_nothing(queue: Queue, victim: str) -> None:
    """Cancellations against the order of ids: PostgreSQL ends one of the two, whole, and it is done again."""
    queue.eye.deploy("PING", p_num_attempts=5)
    first, second = (queue.eye.enqueue("PING") for _ in range(2))
    one, two = queue.session(), queue.session()
    worker_id = one.register()
    one.claim(worker_id)
    patient = one if victim == "settlement" else two
    patient.rows("set deadlock_timeout = '20s'")
    outcomes = [Outcome(job_id, 1, "error", "error", ERROR, 60.0) for job_id in (first, second)]
    one.begin()
    assert one.cancel(second) == "requested"
    settling = two.start(two.settle, worker_id, outcomes)
    queue.wait_until_blocked(two, by=one)
    if victim == "settlement":
        cancelling = one.start(one.cancel, first)
        with pytest.raises(psycopg.errors.DeadlockDetected):
            settling.result(timeout=10)
        assert cancelling.result(timeout=10) == "requested"
        one.commit()
        two.settle(worker_id, outcomes)
        assert [queue.state(first), queue.state(second)] == ["cancelled", "cancelled"]
    else:
        with pytest.raises(psycopg.errors.DeadlockDetected):
            one.cancel(first)
        one.rollback()
        settling.result(timeout=10)
        assert [queue.state(first), queue.state(second)] == ["scheduled", "scheduled"]
        assert [one.cancel(job_id) for job_id in (first, second)] == ["cancelled", "cancelled"]


def test_two_who_cancel_the_same_job(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    one, two = queue.session(), queue.session()
    one.begin()
    assert one.cancel(job_id) == "cancelled"
    cancelling = two.start(two.cancel, job_id)
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert cancelling.result(timeout=10) is None
    assert queue.count("finalized") == 1


def test_a_group_goes_on_without_its_cancelled_job(queue: Queue) -> None:
    """E8: in line, or as the only one a turn stood for."""
    queue.eye.deploy("PING")
    first, second, third = (queue.eye.enqueue("PING", job_group="a") for _ in range(3))
    worker_id = queue.eye.register()
    jobs = queue.eye.claim(worker_id)
    assert [job.job_id for job in jobs] == [first]
    assert queue.eye.cancel(second) == "cancelled"
    queue.eye.succeed(worker_id, jobs)
    jobs = queue.eye.claim(worker_id)
    assert [job.job_id for job in jobs] == [third]


def test_a_job_that_was_retried_can_be_cancelled(queue: Queue) -> None:
    """C10: its errors so far go to history with it."""
    queue.eye.deploy("PING", p_num_attempts=5)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    queue.eye.settle(worker_id, [Outcome(job_id, 1, "error", "error", ERROR, 60.0)])
    assert queue.eye.cancel(job_id) == "cancelled"
    assert (queue.job(job_id, "attempt"), len(queue.job(job_id, "errors"))) == (1, 1)


def test_cancel_and_rescue_do_not_wait_for_each_other(queue: Queue) -> None:
    """A job being taken from a dead worker: the cancellation waits, then finds it in line."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    queue.silence(worker_id)
    one, two = queue.session(), queue.session()
    one.begin()
    assert one.rescue() == {job_id: "queued"}
    cancelling = two.start(two.cancel, job_id)
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert cancelling.result(timeout=10) == "cancelled"


@pytest.mark.parametrize("way", ["rescue", "recall", "retire"])
@pytest.mark.parametrize("group", [None, "a"])
def test_a_cancellation_is_not_forgotten_when_the_worker_is_lost(
    queue: Queue, way: str, group: str | None
) -> None:
    """C12: who was told `requested` may rely on it that the job does not start again."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", job_group=group)
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    assert queue.eye.cancel(job_id) == "requested"
    if way == "rescue":
        queue.silence(worker_id)
        assert queue.eye.rescue() == {job_id: "cancelled"}
    else:
        give_back = queue.eye.recall if way == "recall" else queue.eye.retire
        assert give_back(worker_id) == []
    assert (queue.job(job_id, "state"), queue.job(job_id, "worker_id")) == ("cancelled", worker_id)
    assert queue.counts() == {}
