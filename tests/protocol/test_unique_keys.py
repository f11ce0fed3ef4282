"""Unique keys: of one definition and key there is one holder, whatever else goes on at that moment."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome, Session

ENDS: dict[str, Outcome] = {
    "succeeded": Outcome(0, 1, detail="1"),
    "failed": Outcome(0, 1, "error", "error", ERROR),
    "declared": Outcome(0, 1, "failed", "declared", ERROR),
    "cancelled": Outcome(0, 1, "cancelled"),
}


def put(session: Session, key: str | None = "a", scope: str = "live", **options: Any) -> int:
    """Put in PING with a key; gives its id, or the holder's negated."""
    (job_id,) = put_many(session, [key], scope, **options)
    return job_id


def put_many(session: Session, keys: list[str | None], scope: str = "live", **options: Any) -> list[int]:
    return session.enqueue_many(
        "PING", ["1"] * len(keys), p_unique_keys=keys, p_unique_scope=scope, **options
    )


def is_held(queue: Queue, job_id: int) -> bool | None:
    rows = queue.eye.rows("select is_held from {schema}.unique_key where job_id = %s", job_id)
    return rows[0][0] if rows else None


@pytest.fixture
def worker_id(queue: Queue) -> int:
    queue.eye.deploy("PING")
    return queue.eye.register()


@pytest.mark.parametrize("place", [{}, {"p_delay_secs": 60.0}, {"groups": ["g"]}])
def test_a_second_job_with_the_key_is_not_put_in(queue: Queue, worker_id: int, place: dict[str, Any]) -> None:
    """C8, I17: wherever the first one stands, and while it runs; its id is given, and nothing is written."""
    first = put(queue.eye, **place)
    before = queue.counts()
    assert put(queue.eye) == -first
    assert queue.counts() == before
    queue.make_due()
    (job,) = queue.eye.claim(worker_id)
    assert put(queue.eye) == -first
    assert put(queue.eye, "b") > first
    assert put(queue.eye, None) > first
    queue.eye.succeed(worker_id, [job])
    assert put(queue.eye) > first


@pytest.mark.parametrize("end", ENDS)
def test_a_key_is_free_again_when_its_job_ends(queue: Queue, worker_id: int, end: str) -> None:
    """C8: in the transaction of the end, however it ends."""
    first = put(queue.eye)
    queue.eye.claim(worker_id)
    queue.eye.begin()
    queue.eye.settle(worker_id, [ENDS[end]._replace(job_id=first)])
    assert is_held(queue, first) is False
    queue.eye.rollback()
    assert is_held(queue, first) is True
    queue.eye.settle(worker_id, [ENDS[end]._replace(job_id=first)])
    assert put(queue.eye) > first


def test_a_key_is_free_again_when_its_job_is_cancelled_or_lost(queue: Queue, worker_id: int) -> None:
    """C8: cancel() and rescue() end jobs by other ways than settle()."""
    first = put(queue.eye, p_num_stalls=0)
    assert queue.eye.cancel(first) == "cancelled"
    second = put(queue.eye, p_num_stalls=0)
    queue.eye.claim(worker_id)
    queue.silence(worker_id)
    assert queue.eye.rescue() == {second: "failed"}
    assert put(queue.eye) > second


def test_a_try_that_failed_keeps_the_key(queue: Queue, worker_id: int) -> None:
    """C8: a job that waits for its next try is live."""
    first = put(queue.eye, p_num_attempts=2)
    queue.eye.claim(worker_id)
    queue.eye.settle(worker_id, [Outcome(first, 1, "error", "error", ERROR, 60.0)])
    assert put(queue.eye) == -first


def test_a_key_held_until_the_start(queue: Queue, worker_id: int) -> None:
    """C8: scope queued: it is free in the transaction of the claim; what comes later runs after it."""
    first = put(queue.eye, scope="queued")
    assert put(queue.eye, scope="queued") == -first
    queue.eye.begin()
    assert len(queue.eye.claim(worker_id)) == 1
    assert is_held(queue, first) is False
    queue.eye.rollback()
    assert put(queue.eye, scope="queued") == -first
    queue.eye.claim(worker_id)
    second = put(queue.eye, scope="queued")
    assert second > first
    assert queue.eye.cancel(second) == "cancelled"
    assert put(queue.eye, scope="queued") > second


def test_a_key_held_for_a_time(queue: Queue, worker_id: int) -> None:
    """C8: scope for: from the enqueue on, though its job ended and was purged; then whoever comes has it."""
    first = put(queue.eye, scope="for", p_unique_for_secs=3600.0)
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
    assert put(queue.eye) == -first
    assert queue.eye.purge(-60.0) == [first]
    assert put(queue.eye) == -first
    assert queue.eye.problems() == []
    queue.eye.rows("update {schema}.unique_key set held_until = now()")
    second = put(queue.eye)
    assert second > first
    assert queue.eye.purge(-60.0) == []
    assert is_held(queue, first) is None
    assert is_held(queue, second) is True


def test_a_key_kept_as_long_as_its_job_is_known(queue: Queue, worker_id: int) -> None:
    """C2: scope kept: in history too, until that is purged."""
    first = put(queue.eye, scope="kept")
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
    assert put(queue.eye) == -first
    assert queue.eye.purge(-60.0) == [first]
    assert queue.count("unique_key") == 0
    assert put(queue.eye) > first


def test_a_job_that_leaves_nothing_behind_leaves_no_key(queue: Queue) -> None:
    """C2, C8: with an age of 0 it is forgotten when it ends; a key held for a time outlives it even so."""
    queue.eye.deploy("PING", p_keep_succeeded_secs=0.0)
    worker_id = queue.eye.register()
    first, timed = put(queue.eye, "a", "kept"), put(queue.eye, "b", "for", p_unique_for_secs=3600.0)
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
    assert (queue.state(first), is_held(queue, first)) == (None, None)
    assert put(queue.eye, "b") == -timed


def test_a_duplicate_is_refused_if_that_is_asked(queue: Queue, worker_id: int) -> None:
    """C2: with the id of the job that is there; all or none is put in."""
    first = put(queue.eye, "a", "kept")
    with pytest.raises(psycopg.Error, match='the unique key "a" is held by job') as refused:
        put_many(queue.eye, ["b", "a"], "kept", p_is_duplicate_refused=True)
    assert (refused.value.sqlstate, refused.value.diag.message_detail) == ("CQ409", str(first))
    assert queue.counts() == {"job": 1, "ready": 1}
    assert queue.count("unique_key") == 1


def test_many_at_once(queue: Queue, worker_id: int) -> None:
    """C3, C8: a key for each payload; those of one call count too; ids follow the payloads."""
    old = put(queue.eye, "c")
    ids = put_many(queue.eye, ["d", "b", None, "c", "b", "a", None])
    assert ids[3] == -old
    assert ids[4] == -ids[1]
    new = [each for each in ids if each > 0]
    assert new == sorted(new)
    assert len(new) == 5
    assert len(queue.eye.claim(worker_id)) == 6
    assert queue.eye.rows("select count(*) from {schema}.job where is_tied") == [(4,)]


def test_a_key_is_its_definitions_own(queue: Queue, worker_id: int) -> None:
    """C8: another definition may use the same words."""
    queue.eye.deploy("PONG")
    put(queue.eye)
    assert queue.eye.enqueue_many("PONG", ["1"], p_unique_keys=["a"])[0] > 0


def test_the_key_of_a_definition(queue: Queue, worker_id: int) -> None:
    """C8: applied by whoever enqueues, in SQL and by a repeat as well; enqueue() gives the holder's id."""
    definition_id = queue.eye.deploy("SWEEP", p_unique_key="one", p_repeat_secs=60.0)
    first = queue.eye.enqueue("SWEEP")
    assert queue.eye.enqueue("SWEEP") == first
    assert queue.eye.tick([definition_id])[0][2] == first
    assert queue.eye.enqueue("SWEEP", unique_key="two") > first
    assert queue.counts() == {"job": 2, "ready": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"p_unique_scope": "ever"},
        {"p_unique_scope": "for"},
        {"p_unique_scope": "for", "p_unique_for_secs": -1.0},
        {"p_unique_keys": [""]},
        {"p_unique_keys": ["a" * 501]},
    ],
)
def test_what_is_no_key_or_scope_is_refused(queue: Queue, worker_id: int, wrong: dict[str, Any]) -> None:
    with pytest.raises(psycopg.Error) as refused:
        queue.eye.enqueue_many("PING", ["1"], **{"p_unique_keys": ["a"], **wrong})
    assert refused.value.sqlstate == "CQ003"


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_two_transactions_ask_for_one_key(queue: Queue, worker_id: int, end: str) -> None:
    """C8: the second waits for the first, and is its duplicate, or has the key; neither is aborted."""
    one, two = queue.session(), queue.session()
    one.begin()
    two.begin()
    first = put(one)
    asking = two.start(put, two)
    queue.wait_until_blocked(two, by=one)
    one.rows(end)
    second = asking.result(timeout=10)
    assert second == -first if end == "commit" else second > first
    two.rows("select 1")
    two.commit()
    assert queue.counts() == {"job": 1, "ready": 1}


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_one_asks_while_the_holder_ends(queue: Queue, worker_id: int, end: str) -> None:
    """C8: it waits for that end, and has the key, or is a duplicate of a job that goes on."""
    first = put(queue.eye)
    one, two = queue.session(), queue.session()
    jobs = one.claim(worker_id)
    one.begin()
    one.succeed(worker_id, jobs)
    asking = two.start(put, two)
    queue.wait_until_blocked(two, by=one)
    one.rows(end)
    second = asking.result(timeout=10)
    assert second > first if end == "commit" else second == -first


def test_two_find_one_key_over_its_time(queue: Queue, worker_id: int) -> None:
    """C8: one of them has it; the other is its duplicate."""
    put(queue.eye, scope="for", p_unique_for_secs=3600.0)
    queue.eye.rows("update {schema}.unique_key set held_until = now()")
    one, two = queue.session(), queue.session()
    one.begin()
    second = put(one)
    asking = two.start(put, two)
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert asking.result(timeout=10) == -second


def test_a_purge_waits_for_nobody_who_takes_an_old_key(queue: Queue, worker_id: int) -> None:
    """C8: neither of its job nor of itself; what it had to leave it forgets the next time."""
    first = put(queue.eye, scope="for", p_unique_for_secs=3600.0)
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
    queue.eye.rows("update {schema}.unique_key set held_until = now()")
    one, two = queue.session(), queue.session()
    two.rows("set lock_timeout = '1s'")
    one.begin()
    put(one)
    assert two.purge(-60.0) == [first]
    assert two.purge(-60.0) == []
    assert is_held(queue, first) is True
    one.commit()
    assert two.purge(-60.0) == []
    assert is_held(queue, first) is None


def test_calls_that_name_keys_in_opposite_orders_do_not_deadlock(queue: Queue, worker_id: int) -> None:
    """C8: keys are taken in their own order, whatever the order of the payloads."""
    blocker, one, two = queue.session(), queue.session(), queue.session()
    blocker.begin()
    put(blocker, "b")
    first = one.start(put_many, one, ["a", "b", "c"])
    queue.wait_until_blocked(one, by=blocker)
    second = two.start(put_many, two, ["c", "b", "a"])
    queue.wait_until_blocked(two, by=one)
    blocker.rollback()
    ids = first.result(timeout=10)
    assert second.result(timeout=10) == [-each for each in reversed(ids)]


def test_a_snapshot_that_cannot_see_the_holder_is_told_so(queue: Queue, worker_id: int) -> None:
    """C8: in repeatable read the caller has to begin anew, as for any other conflict; it does not hang."""
    one = queue.session()
    one.rows("begin isolation level repeatable read")
    one.rows("select 1")
    put(queue.eye)
    with pytest.raises(psycopg.errors.SerializationFailure):
        put(one)


def test_plain_jobs_do_not_pay_for_keys(queue: Queue, worker_id: int) -> None:
    """C8: in the whole life of a hundred, unique_key is not looked into once; for one with a key it is."""
    one = queue.session()
    scans = (
        "select coalesce(seq_scan, 0) + coalesce(idx_scan, 0) from pg_stat_xact_all_tables"
        " where relid = '{schema}.unique_key'::regclass"
    )
    one.begin()
    one.enqueue_many("PING", ["1"] * 50)
    one.enqueue_many("PING", ["1"] * 50, ["g"] * 50)
    one.cancel(one.enqueue("PING", delay_secs=60.0))
    while jobs := one.claim(worker_id, slice=20):
        one.succeed(worker_id, jobs)
    assert one.value("select count(*) from {schema}.finalized") == 101
    assert one.value(scans) == 0
    put(one, "a", "queued")
    asked = one.value(scans)
    assert asked > 0
    one.claim(worker_id)
    assert one.value(scans) > asked
    one.commit()
