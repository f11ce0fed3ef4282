"""The limit on all that may go wrong with a job, errors and stalls together."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue
from tests.support.session import ERROR, Claimed, Outcome

COLUMNS = ("state", "reason", "attempt", "error_count", "stall_count")
UNLIMITED = 2_147_483_647


def lose(queue: Queue) -> Claimed:
    """Claim by a worker that dies, and rescue."""
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    queue.silence(worker_id)
    queue.eye.rescue()
    return job


def err(queue: Queue) -> tuple[Claimed, str]:
    """Claim, and give an error; the verdict."""
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    verdicts = queue.eye.settle(worker_id, [Outcome(job.job_id, job.attempt, "error", "error", ERROR)])
    queue.make_due()
    return job, verdicts[job.job_id]


def columns(queue: Queue, job_id: int) -> list[Any]:
    return [queue.job(job_id, column) for column in COLUMNS]


def test_errors_and_stalls_come_to_a_total(queue: Queue) -> None:
    """F4: neither limit of its own is reached, the sum is: by an error."""
    queue.eye.deploy("PING", p_num_attempts=9, p_num_stalls=9, p_num_failures=3)
    job_id = queue.eye.enqueue("PING")
    assert lose(queue).num_attempts == 3
    job, verdict = err(queue)
    assert (job.num_attempts, verdict) == (2, "scheduled")
    job, verdict = err(queue)
    assert (job.error_count, job.num_attempts, verdict) == (1, 2, "exhausted")
    assert columns(queue, job_id) == ["failed", "exhausted", 3, 2, 1]
    assert len(queue.job(job_id, "errors")) == 2
    assert queue.counts() == {}


def test_a_stall_may_be_the_last_straw(queue: Queue) -> None:
    """F4: the sum is reached by a lost worker, grouped or not; nothing is left behind."""
    queue.eye.deploy("PING", p_num_attempts=9, p_num_stalls=9, p_num_failures=2)
    for group in (None, "a"):
        job_id = queue.eye.enqueue("PING", job_group=group)
        worker_id = queue.eye.register()
        (job,) = queue.eye.claim(worker_id)
        queue.eye.settle(
            worker_id,
            [Outcome(job_id, 1, "error", "error", ERROR)],
            [] if job.group_hash is None else [job.group_hash],
        )
        queue.make_due()
        assert lose(queue).job_id == job_id
        assert columns(queue, job_id) == ["failed", "exhausted", 2, 1, 1]
    assert queue.counts() == {}


def test_one_failure_is_never_run_again(queue: Queue) -> None:
    """F4: by num_failures=1, said at enqueue, whatever else is allowed."""
    queue.eye.deploy("PING", p_num_attempts=UNLIMITED, p_num_stalls=UNLIMITED)
    job_ids = [queue.eye.enqueue("PING", num_failures=1) for _ in range(2)]
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    given = [Outcome(job_ids[0], 1, "error", "error", ERROR)]
    assert queue.eye.settle(worker_id, given) == {job_ids[0]: "exhausted"}
    queue.silence(worker_id)
    assert queue.eye.rescue() == {job_ids[1]: "failed"}
    assert [queue.job(job_id, "reason") for job_id in job_ids] == ["exhausted", "exhausted"]


def test_a_limit_of_its_own_comes_first(queue: Queue) -> None:
    """F4: when both are reached at once, the reason is the nearer one."""
    queue.eye.deploy("PING", p_num_attempts=1, p_num_stalls=0, p_num_failures=1)
    failed, stalled = queue.eye.enqueue("PING"), queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    given = [Outcome(failed, 1, "error", "timeout", ERROR)]
    assert queue.eye.settle(worker_id, given) == {failed: "failed"}
    queue.silence(worker_id)
    queue.eye.rescue()
    assert [queue.job(job_id, "reason") for job_id in (failed, stalled)] == ["timeout", "stalled"]


def test_snoozes_and_returns_do_not_count(queue: Queue) -> None:
    """F4: the one is the job's own wish, the other the doing of whoever stops a worker."""
    queue.eye.deploy("PING", p_num_failures=1)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    for _ in range(3):
        (job,) = queue.eye.claim(worker_id)
        queue.eye.settle(worker_id, [Outcome(job_id, job.attempt, "snoozed")])
        queue.make_due()
        queue.eye.claim(worker_id)
        assert queue.eye.recall(worker_id) == [job_id]
    assert queue.eye.succeed(worker_id, queue.eye.claim(worker_id)) == {}
    assert columns(queue, job_id) == ["succeeded", None, 7, 0, 0]


def test_no_limit_is_no_limit(queue: Queue) -> None:
    """F4: of any of the three."""
    queue.eye.deploy("PING", p_num_attempts=UNLIMITED, p_num_stalls=UNLIMITED)
    job_id = queue.eye.enqueue("PING")
    for _ in range(12):
        lose(queue)
        assert err(queue)[1] == "scheduled"
    assert columns(queue, job_id) == ["queued", None, 24, 12, 12] or queue.state(job_id) == "scheduled"
    assert (queue.job(job_id, "error_count"), queue.job(job_id, "stall_count")) == (12, 12)


@pytest.mark.parametrize("number", [0, -1])
def test_a_limit_is_at_least_one(queue: Queue, number: int) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        queue.eye.deploy("PING", p_num_failures=number)
