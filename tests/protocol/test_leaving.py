"""recall() and retire_worker(): what a worker gives back by itself."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue
from tests.support.session import Outcome, Session


def test_a_recall_puts_back_all_but_what_is_named(queue: Queue) -> None:
    """E34: no try and no stall is counted, and the place in line is kept."""
    queue.eye.deploy("PING")
    job_ids = queue.eye.enqueue_many("PING", ["1"] * 4, [None, None, "a", "b"])
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    later = queue.eye.enqueue("PING")
    assert set(queue.eye.recall(worker_id, [job_ids[0], job_ids[2]])) == {job_ids[1], job_ids[3]}
    assert [queue.state(job_id) for job_id in job_ids] == ["running", "queued", "running", "queued"]
    assert (queue.job(job_ids[1], "error_count"), queue.job(job_ids[1], "stall_count")) == (0, 0)
    assert queue.eye.rows("select group_hash from {schema}.group_lease") == [(queue.group_hash("a"),)]
    taken = [job.job_id for job in queue.eye.claim(queue.eye.register())]
    assert set(taken) == {job_ids[1], job_ids[3], later}
    assert taken.index(job_ids[1]) < taken.index(later)


def test_a_recall_with_nothing_unknown_changes_nothing(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", job_group="a")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    assert queue.eye.recall(worker_id, [job_id]) == []
    assert queue.counts() == {"job": 1, "running": 1, "group_lease": 1}


def test_a_recall_touches_no_other_worker(queue: Queue) -> None:
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING", job_group="a")
    queue.eye.claim(queue.eye.register())
    assert queue.eye.recall(queue.eye.register()) == []
    assert queue.counts() == {"job": 1, "running": 1, "group_lease": 1}


def test_a_slice_half_kept_keeps_its_group(queue: Queue) -> None:
    """E8: the group is free only when nothing of it is in hand."""
    queue.eye.deploy("PING")
    kept, unknown = (queue.eye.enqueue("PING", job_group="a") for _ in range(2))
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id, slice=2)
    assert queue.eye.recall(worker_id, [kept]) == [unknown]
    assert queue.eye.claim(queue.eye.register()) == []
    assert queue.eye.settle(worker_id, [Outcome(kept, 1, detail="null")], [queue.group_hash("a")]) == {}
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [unknown]


def test_a_recall_waits_for_a_claim_that_nobody_heard_of(queue: Queue) -> None:
    """M4: the connection broke, but the server goes on with what it was told; its jobs must come back."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    old, new = queue.session(), queue.session()
    old.begin()
    old.claim(worker_id)
    recalling = new.start(new.recall, worker_id)
    queue.wait_until_blocked(new, by=old)
    old.commit()
    assert recalling.result(timeout=10) == [job_id]
    assert queue.state(job_id) == "queued"


def exchange(
    session: Session, worker_id: int, settled: list[int], definition_ids: list[int], num_recalls: int = 0
) -> list[Any]:
    """Settle these first attempts as succeeded, and claim."""
    num = len(settled)
    return session.rows(
        "select * from {schema}.exchange(%s, %s, %s::bigint[], %s::integer[], %s::json, '{}', '{}', '{}',"
        " '{}', '{}', '{}', '{}', null, %s::integer[], 10, 1, '{}', '{}')",
        worker_id, num_recalls, settled, [1] * num, f"[{', '.join(['null'] * num)}]",
        definition_ids,
    )  # fmt: skip


def worker_with_a_job_to_settle(queue: Queue) -> tuple[int, int, int, int]:
    """Definition, worker, the job it has claimed, and one that it has not."""
    ping = queue.eye.deploy("PING")
    worker_id = queue.eye.register()
    claimed = queue.eye.enqueue("PING")
    queue.eye.claim(worker_id)
    return ping, worker_id, claimed, queue.eye.enqueue("PING")


def test_an_exchange_overtaken_by_a_recall_claims_nothing(queue: Queue) -> None:
    """M4: it was still settling when the worker, on a new connection, said what it has in hand."""
    ping, worker_id, settled, unheard = worker_with_a_job_to_settle(queue)
    holder, old = queue.session(), queue.session()
    holder.begin()
    holder.rows("select from {schema}.running where job_id = %s for update", settled)
    exchanging = old.start(exchange, old, worker_id, [settled], [ping])
    queue.wait_until_blocked(old, by=holder)
    assert queue.eye.recall(worker_id, [settled]) == []
    holder.rollback()
    with pytest.raises(psycopg.Error) as caught:
        exchanging.result(timeout=10)
    assert caught.value.sqlstate == "CQ002"
    assert (queue.state(settled), queue.state(unheard)) == ("running", "queued")
    rows = exchange(queue.eye, worker_id, [settled], [ping], num_recalls=1)
    assert unheard in {row[1] for row in rows}


def test_an_exchange_that_comes_after_a_recall_claims_nothing(queue: Queue) -> None:
    """M4: it was sent before, and lay in the network until the worker had recalled on a new connection."""
    ping, worker_id, settled, unheard = worker_with_a_job_to_settle(queue)
    assert queue.eye.recall(worker_id, [settled]) == []
    with pytest.raises(psycopg.Error) as caught:
        exchange(queue.session(), worker_id, [settled], [ping])
    assert caught.value.sqlstate == "CQ002"
    assert (queue.state(settled), queue.state(unheard)) == ("running", "queued")


def test_a_suspect_that_is_given_back_stays_one(queue: Queue) -> None:
    """F6, E34: a graceful stop in between does not make a poison pill harmless."""
    queue.eye.deploy("PING", p_num_stalls=1)
    suspects = [queue.eye.enqueue("PING"), queue.eye.enqueue("PING", job_group="a")]
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    queue.silence(worker_id)
    queue.eye.rescue()
    for _ in range(2):
        worker_id = queue.eye.register()
        assert len(queue.eye.claim(worker_id)) == 1
        assert len(queue.eye.claim(worker_id)) == 1
        assert set(queue.eye.retire(worker_id)) == set(suspects)
    jobs = [*queue.eye.claim(queue.eye.register()), *queue.eye.claim(queue.eye.register())]
    assert [job.is_suspect for job in jobs] == [True, True]


def test_who_retires_leaves_nothing_behind(queue: Queue) -> None:
    """E10, E33: jobs and groups go back at once, and the worker is forgotten. Safe to repeat."""
    queue.eye.deploy("PING")
    job_ids = queue.eye.enqueue_many("PING", ["1"] * 3, [None, "a", "a"])
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    assert set(queue.eye.retire(worker_id)) == set(job_ids[:2])
    assert queue.count("worker") == 0
    assert queue.counts() == {"job": 3, "ready": 2, "waiting": 2}
    assert queue.eye.retire(worker_id) == []
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.claim(worker_id)
    assert caught.value.sqlstate == "CQ002"


def test_who_retires_waits_for_its_own_last_claim(queue: Queue) -> None:
    """M4: otherwise that claim's jobs would run for a worker that is no more."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    old, new = queue.session(), queue.session()
    old.begin()
    old.claim(worker_id)
    retiring = new.start(new.retire, worker_id)
    queue.wait_until_blocked(new, by=old)
    old.commit()
    assert retiring.result(timeout=10) == [job_id]
    assert (queue.state(job_id), queue.count("worker")) == ("queued", 0)
