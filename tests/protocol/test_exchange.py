"""exchange(): outcomes and the next claim, together or not at all."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue
from tests.support.session import Session

VERDICT, JOB, SECS = 0, 1, 13


def exchange(session: Session, worker_id: int, done: list[int], *, limit: int = 10) -> list[tuple[Any, ...]]:
    """Give these first attempts as succeeded, and claim for all definitions."""
    num = len(done)
    return session.rows(
        "select * from {schema}.exchange(%s, 0, %s::bigint[], %s::integer[], %s::json, '{}', '{}', '{}',"
        " '{}', '{}', '{}', '{}', null, array(select id from {schema}.job_definition), %s, 1, '{}', '{}')",
        worker_id, done, [1] * num, f"[{', '.join(['null'] * num)}]", limit,
    )  # fmt: skip


def test_outcomes_go_and_jobs_come_in_one_call(queue: Queue) -> None:
    """E25: finish and claim next; a full claim says nothing of what is due."""
    queue.eye.deploy("PING")
    first, second, third = queue.eye.enqueue_many("PING", ["1"] * 3)
    worker_id = queue.eye.register()
    assert [row[JOB] for row in exchange(queue.eye, worker_id, [], limit=1)] == [first]
    rows = exchange(queue.eye, worker_id, [first], limit=2)
    assert [(row[VERDICT], row[JOB]) for row in rows] == [(None, second), (None, third)]
    assert queue.state(first) == "succeeded"


def test_a_short_claim_tells_when_to_look_again(queue: Queue) -> None:
    """D5: so that a worker sleeps exactly as long as it may."""
    queue.eye.deploy("PING")
    worker_id = queue.eye.register()
    (row,) = exchange(queue.eye, worker_id, [])
    assert (row[VERDICT], row[SECS]) == ("due", None)
    queue.eye.enqueue("PING", delay_secs=60.0)
    (row,) = exchange(queue.eye, worker_id, [])
    assert 59 < row[SECS] <= 60


def test_nothing_is_claimed_when_nothing_is_asked_for(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    assert exchange(queue.eye, worker_id, [], limit=0) == []
    assert exchange(queue.eye, worker_id, [job_id], limit=0)[0][VERDICT] == "lost"
    assert queue.state(job_id) == "queued"


def test_when_the_claim_fails_the_outcomes_are_not_given(queue: Queue) -> None:
    """E15, M2: CQ002 undoes the whole call; the worker has nothing to guess."""
    queue.eye.deploy("PING")
    done, other = queue.eye.enqueue_many("PING", ["1"] * 2)
    worker_id = queue.eye.register()
    exchange(queue.eye, worker_id, [], limit=1)
    rescuer = queue.session()
    queue.silence(worker_id)
    rescuer.begin()
    rescuer.rows("select from {schema}.worker where id = %s for update", worker_id)
    with pytest.raises(psycopg.Error) as caught:
        exchange(queue.eye, worker_id, [done])
    rescuer.rollback()
    assert caught.value.sqlstate == "CQ002"
    assert (queue.state(done), queue.state(other)) == ("running", "queued")


def test_each_success_has_the_result_that_was_given_with_it(queue: Queue) -> None:
    """G1: word for word, in the order of the jobs; and an attempt given with another's number is lost."""
    queue.eye.deploy("PING")
    job_ids = queue.eye.enqueue_many("PING", ["1"] * 4)
    worker_id = queue.eye.register()
    exchange(queue.eye, worker_id, [], limit=4)
    results = ['{"b": 1,  "a": 1e2}', "null", '"\\u0000 ]"', "[1, [2]]"]
    ended = queue.eye.value(
        "select {schema}.finish(%s, %s::bigint[], %s::integer[], %s::json)",
        worker_id, job_ids, [1, 1, 2, 1], f"[{', '.join(results)}]",
    )  # fmt: skip
    assert sorted(ended) == sorted({*job_ids} - {job_ids[2]})
    kept = [queue.job(job_id, "result::text") for job_id in job_ids]
    assert kept == [results[0], results[1], None, results[3]]
    assert [queue.state(job_id) for job_id in job_ids] == ["succeeded", "succeeded", "running", "succeeded"]
