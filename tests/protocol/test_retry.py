"""retry(): a job that had ended lives again, once, and whoever comes late from its first life is too late."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome, Session


def retry(session: Session, *job_ids: int) -> list[int]:
    """Retry these; gives those that were."""
    return [job_id for job_id, verdict, _ in answers(session, *job_ids) if verdict == "queued"]


def answers(session: Session, *job_ids: int) -> list[tuple[int, str, int | None]]:
    rows: Any = session.rows("select * from {schema}.retry(%s::bigint[])", list(job_ids))
    return rows


def fail(queue: Queue, worker_id: int) -> None:
    """Fail whatever can be claimed."""
    jobs = queue.eye.claim(worker_id)
    queue.eye.settle(
        worker_id,
        [Outcome(job.job_id, job.attempt, "failed", "declared", ERROR) for job in jobs],
        [job.group_hash for job in jobs if job.group_hash is not None],
    )


@pytest.mark.parametrize("job_group", [None, "a"])
def test_a_failed_job_lives_again(queue: Queue, job_group: str | None) -> None:
    """With fresh counts, its errors kept and its attempts numbered on; in its group, with a turn."""
    queue.eye.deploy("PING", p_num_attempts=2)
    worker_id = queue.eye.register()
    job_id = queue.eye.enqueue("PING", "[1]", job_group=job_group)
    created_at = queue.job(job_id, "created_at")
    for attempt in (1, 2):
        (job,) = queue.eye.claim(worker_id)
        assert (job.job_id, job.attempt) == (job_id, attempt)
        groups = [] if job.group_hash is None else [job.group_hash]
        queue.eye.settle(worker_id, [Outcome(job_id, attempt, "error", "error", ERROR)], groups)
        queue.make_due()
    assert queue.state(job_id) == "failed"
    assert retry(queue.eye, job_id) == [job_id]
    assert queue.count("finalized") == 0
    assert (queue.state(job_id), queue.job(job_id, "attempt")) == ("queued", 2)
    assert (queue.job(job_id, "error_count"), queue.job(job_id, "created_at")) == (0, created_at)
    assert queue.eye.problems() == []
    (job,) = queue.eye.claim(worker_id)
    assert (job.attempt, job.error_count, job.num_attempts, job.payload) == (3, 0, 2, "[1]")
    assert len(queue.job(job_id, "errors")) == 2
    queue.eye.succeed(worker_id, [job])
    assert (queue.state(job_id), queue.job(job_id, "attempt")) == ("succeeded", 3)
    assert queue.counts() == {}


def test_a_cancelled_job_lives_again(queue: Queue) -> None:
    """One that never ran begins with its first attempt."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", delay_secs=60.0)
    queue.eye.cancel(job_id)
    assert retry(queue.eye, job_id) == [job_id]
    worker_id = queue.eye.register()
    assert [job.attempt for job in queue.eye.claim(worker_id)] == [1]
    queue.eye.retire(worker_id)


def test_what_lives_or_succeeded_is_left_alone(queue: Queue) -> None:
    """And so is what is not there."""
    queue.eye.deploy("PING")
    worker_id = queue.eye.register()
    done = queue.eye.enqueue("PING")
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
    running = queue.eye.enqueue("PING")
    queue.eye.claim(worker_id)
    queued = queue.eye.enqueue("PING")
    assert retry(queue.eye, done, running, queued, queued + 1) == []
    assert [queue.state(each) for each in (done, running, queued)] == ["succeeded", "running", "queued"]
    queue.eye.retire(worker_id)


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_two_sessions_retry_one_job_once(queue: Queue, end: str) -> None:
    """The second waits for the first, and retries only what that gave up."""
    queue.eye.deploy("PING")
    fail_with = queue.eye.register()
    job_id = queue.eye.enqueue("PING", job_group="a")
    fail(queue, fail_with)
    first, second = queue.session(), queue.session()
    first.begin()
    assert retry(first, job_id) == [job_id]
    pending = second.start(retry, second, job_id)
    queue.wait_until_blocked(second, by=first)
    first.commit() if end == "commit" else first.rollback()
    assert pending.result(timeout=10) == ([] if end == "commit" else [job_id])
    assert queue.counts() == {"job": 1, "waiting": 1, "ready": 1}


def test_retries_in_opposite_orders_never_wait_for_each_other_in_a_circle(queue: Queue) -> None:
    """Rows are locked in the order of ids, whatever the order asked for."""
    queue.eye.deploy("PING")
    one, two = queue.eye.enqueue("PING"), queue.eye.enqueue("PING")
    fail(queue, queue.eye.register())
    blocker, first, second = queue.session(), queue.session(), queue.session()
    blocker.begin()
    blocker.rows("select from {schema}.finalized where job_id = %s for update", one)
    pending = [first.start(retry, first, one, two)]
    queue.wait_until_blocked(first, by=blocker)
    pending.append(second.start(retry, second, two, one))
    queue.wait_until_blocked(second, by=first)
    blocker.rollback()
    assert sorted(pending[0].result(timeout=10) + pending[1].result(timeout=10)) == [one, two]
    assert queue.counts() == {"job": 2, "ready": 2}


def test_an_outcome_from_the_life_before_changes_nothing(queue: Queue) -> None:
    """Though the same worker holds the new attempt: the ceiling took the job, and it came back to it."""
    queue.eye.deploy("PING", p_num_stalls=0)
    worker_id = queue.eye.register()
    job_id = queue.eye.enqueue("PING", job_group="a")
    (before,) = queue.eye.claim(worker_id)
    assert queue.eye.rescue(job_group_unlock_secs=0.0) == {job_id: "failed"}
    retry(queue.eye, job_id)
    (now,) = queue.eye.claim(worker_id)
    assert (before.attempt, now.attempt) == (1, 2)
    assert queue.eye.settle(worker_id, [Outcome(job_id, before.attempt, detail="1")]) == {job_id: "lost"}
    assert queue.state(job_id) == "running"
    queue.eye.succeed(worker_id, [now])


def test_a_retry_wakes_the_workers_of_its_channel(queue: Queue) -> None:
    """I1: with the commit."""
    queue.eye.deploy("PING", p_channel="mail")
    job_id = queue.eye.enqueue("PING")
    fail(queue, queue.eye.register())
    listener = queue.session()
    listener.rows('listen "cuckmq.{schema_name}"')
    retry(queue.eye, job_id)
    (channel_id,) = queue.eye.rows("select id from {schema}.channel where name = 'mail'")[0]
    note = next(listener.connection.notifies(timeout=5, stop_after=1))
    assert note.payload == f"ready {channel_id}"


def test_many_of_a_group_get_one_turn_for_each_lane(queue: Queue) -> None:
    """As if they had been put in together."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1", "2", "3"], ["a", "a", None])
    queue.eye.enqueue("PING", job_group="a", channel="other")
    worker_id = queue.eye.register()
    while "job" in queue.counts():
        fail(queue, worker_id)
    retry(queue.eye, *range(1, 5))
    assert queue.counts() == {"job": 4, "ready": 3, "waiting": 3}


def put(session: Session, key: str, scope: str = "live", **options: Any) -> int:
    """Put in PING with a key; gives its id, or the holder's negated."""
    (job_id,) = session.enqueue_many("PING", ["1"], p_unique_keys=[key], p_unique_scope=scope, **options)
    return job_id


@pytest.mark.parametrize("scope", ["queued", "live", "kept"])
def test_a_retried_job_holds_its_key_again(queue: Queue, scope: str) -> None:
    """C8: until it starts or ends anew."""
    queue.eye.deploy("PING")
    worker_id = queue.eye.register()
    first = put(queue.eye, "a", scope)
    fail(queue, worker_id)
    assert retry(queue.eye, first) == [first]
    assert put(queue.eye, "a", scope) == -first
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
    assert (put(queue.eye, "a", scope) > first) == (scope != "kept")


def test_a_retry_is_refused_while_another_holds_the_key(queue: Queue) -> None:
    """C8: alone, and with the holder's id; all others are retried."""
    queue.eye.deploy("PING")
    first, second = put(queue.eye, "a"), put(queue.eye, "b")
    fail(queue, queue.eye.register())
    holder = put(queue.eye, "a")
    assert answers(queue.eye, first, second) == [(first, "duplicate", holder), (second, "queued", None)]
    assert queue.state(first) == "failed"
    queue.eye.cancel(holder)
    assert retry(queue.eye, first) == [first]


def test_of_two_failed_jobs_with_one_key_one_is_retried(queue: Queue) -> None:
    """C8: by one call; the other is its duplicate."""
    queue.eye.deploy("PING")
    worker_id = queue.eye.register()
    first = put(queue.eye, "a")
    fail(queue, worker_id)
    second = put(queue.eye, "a")
    fail(queue, worker_id)
    assert answers(queue.eye, second, first) == [(first, "queued", None), (second, "duplicate", first)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_retry_waits_for_who_is_taking_the_key(queue: Queue, end: str) -> None:
    """C8: and has it, or is refused."""
    queue.eye.deploy("PING")
    first = put(queue.eye, "a")
    fail(queue, queue.eye.register())
    one, two = queue.session(), queue.session()
    one.begin()
    holder = put(one, "a")
    pending = two.start(answers, two, first)
    queue.wait_until_blocked(two, by=one)
    one.rows(end)
    expected = (first, "duplicate", holder) if end == "commit" else (first, "queued", None)
    assert pending.result(timeout=10) == [expected]


def test_a_key_held_for_a_time_is_no_matter_to_a_retry(queue: Queue) -> None:
    """C8: it counts from the enqueue; when its time is over, whoever asks has it, the retried job or not."""
    queue.eye.deploy("PING")
    worker_id = queue.eye.register()
    first = put(queue.eye, "a", "for", p_unique_for_secs=3600.0)
    fail(queue, worker_id)
    assert retry(queue.eye, first) == [first]
    assert put(queue.eye, "a") == -first
    fail(queue, worker_id)
    queue.eye.rows("update {schema}.unique_key set held_until = now()")
    assert put(queue.eye, "a") > first
    assert retry(queue.eye, first) == [first]


def test_a_retry_takes_over_a_key_whose_time_is_over(queue: Queue) -> None:
    """C8: as an enqueue does."""
    queue.eye.deploy("PING")
    first = put(queue.eye, "a")
    fail(queue, queue.eye.register())
    put(queue.eye, "a", "for", p_unique_for_secs=3600.0)
    queue.eye.rows("update {schema}.unique_key set held_until = now() where held_until is not null")
    assert retry(queue.eye, first) == [first]


def test_a_retried_job_is_as_it_was(queue: Queue) -> None:
    """All of the job stays, but for what begins anew."""
    queue.eye.deploy("PING", p_num_attempts=1)
    job_id = queue.eye.enqueue("PING", "[1]", job_group="a")
    (before,) = queue.eye.rows("select to_jsonb(j) from {schema}.job j")
    fail(queue, queue.eye.register())
    assert retry(queue.eye, job_id) == [job_id]
    (after,) = queue.eye.rows("select to_jsonb(j) from {schema}.job j")
    changed = {column for column in before[0] if before[0][column] != after[0][column]}
    assert changed == {"run_at", "return_count", "errors"}


def test_a_job_that_expired_can_be_retried(queue: Queue) -> None:
    """E18: it was wanted again, so it expires no more; and it is kept as long as its definition says."""
    queue.eye.deploy("PING", p_keep_succeeded_secs=0.0)
    job_id = queue.eye.enqueue("PING", expires_secs=60.0)
    queue.eye.rows("update {schema}.job set expires_at = now()")
    queue.eye.rows("select {schema}.expire()")
    assert (queue.state(job_id), queue.job(job_id, "reason")) == ("failed", "expired")
    assert retry(queue.eye, job_id) == [job_id]
    queue.eye.rows("select {schema}.expire()")
    worker_id = queue.eye.register()
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
    assert queue.state(job_id) is None
