"""context.workers.evict() and reap(): jobs are taken from workers that should not have them."""

from __future__ import annotations

import asyncio

import pytest

from cuckmq import Attempt, Context, Worker
from cuckmq.errors import ConfigurationError, CuckmqError, WorkerNotFound
from cuckmq.events import JobFailed
from tests.support.eventually import eventually
from tests.support.queue import Queue


async def test_a_living_worker_lets_go_and_goes_on_as_another(context: Context) -> None:
    """H6: the job is run again, its first attempt is cancelled, and the worker has a new id."""
    attempts: list[int] = []
    cancelled = asyncio.Event()

    @context.job(name="HOLD")
    async def hold(_: None, attempt: Attempt) -> str:
        attempts.append(attempt.number)
        if len(attempts) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
        return "done"

    await hold.deploy()
    async with Worker(context, name="w", heartbeat_secs=0.1) as worker:
        handle = await hold.enqueue(None)
        await eventually(lambda: attempts == [1])
        old_id = worker.worker_id
        lost = await context.workers.evict(old_id)
        assert (lost.id, lost.name) == (old_id, "w")
        assert [(job.job_id, job.verdict, job.definition) for job in lost.jobs] == [
            (handle.id, "queued", "HOLD")
        ]
        assert await handle.result(timeout_secs=20) == "done"
        await asyncio.wait_for(cancelled.wait(), 10)
        assert worker.worker_id > old_id
        assert attempts == [1, 2]
        assert (await handle.get()).stall_count == 1
        with pytest.raises(WorkerNotFound, match=f"no worker {old_id}"):
            await context.workers.evict(old_id)


async def test_the_dead_are_found_at_once(context: Context, dsn: str) -> None:
    """H6: with their jobs; a job that may stall no more is told of as failed."""
    seen: list[JobFailed] = []
    context.add_event_handler(lambda event: seen.append(event) if isinstance(event, JobFailed) else None)
    with Queue(dsn, context.schema) as queue:
        queue.eye.deploy("PING", p_num_stalls=0)
        dead, living = queue.eye.register(), queue.eye.register()
        job_id = queue.eye.enqueue("PING")
        queue.eye.claim(dead)
        queue.silence(dead)
        (lost,) = await context.workers.reap()
        assert (lost.id, lost.name) == (dead, "w")
        assert [(job.job_id, job.verdict) for job in lost.jobs] == [(job_id, "failed")]
        assert [(event.job_id, event.name, event.reason) for event in seen] == [(job_id, "PING", "stalled")]
        assert await context.workers.reap() == []
        assert [worker.id for worker in await context.workers.list()] == [living]


async def test_a_wrong_worker_is_an_error_of_the_family(context: Context) -> None:
    """H6: a LookupError for an id that is not there, a ConfigurationError for what is none."""
    with pytest.raises(WorkerNotFound, match=r"no worker 7: it stopped") as caught:
        await context.workers.evict(7)
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, CuckmqError)
    with pytest.raises(ConfigurationError, match="worker_id"):
        await context.workers.evict("7")  # as a web request might have it
