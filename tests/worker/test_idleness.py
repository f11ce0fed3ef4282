"""A worker that has nothing to do, and says so."""

from __future__ import annotations

import asyncio

import pytest

from cuckmq import Context, JobState, Worker
from cuckmq.events import AttemptSucceeded, Event, WorkerIdle
from tests.support.eventually import eventually


async def test_when_a_worker_is_idle_all_that_could_run_has_run(context: Context, dsn: str):
    """E26: also what came from elsewhere without a hint, and what the jobs themselves have put in."""

    @context.job(name="child", job_group="g")
    async def child(payload: int) -> None: ...

    @context.job(name="parent")
    async def parent(payload: int) -> None:
        await asyncio.sleep(0.01)
        await child.enqueue(payload)

    await context.deploy()
    later = await child.enqueue(0, delay_secs=100)
    async with Worker(context, concurrency=3, poll_secs=60) as worker:
        await worker.wait_until_idle()
        for number in range(1, 6):
            await parent.enqueue_many([number] * 10)
            await worker.wait_until_idle()
            counts = await context.jobs.count()
            assert counts[JobState.SUCCEEDED] == number * 20
            assert counts[JobState.QUEUED] == counts[JobState.RUNNING] == 0
    assert (await later.get()).state == JobState.SCHEDULED


async def test_a_paused_worker_is_idle_when_nothing_is_in_hand(context: Context):
    """E23, E26: what it may not claim does not keep it from being idle; nor does stop() keep one waiting."""
    started, release = asyncio.Event(), asyncio.Event()

    @context.job(name="slow")
    async def slow() -> None:
        started.set()
        await release.wait()

    await context.deploy()
    async with Worker(context, shutdown_secs=0) as worker:
        await slow.enqueue()
        await started.wait()
        await worker.pause()
        waiting = await slow.enqueue()
        idling = asyncio.create_task(worker.wait_until_idle())
        release.set()
        await asyncio.wait_for(idling, 10)
        assert (await waiting.get()).state == JobState.QUEUED
        release.clear()
        started.clear()
        worker.resume()
        await started.wait()
        idling = asyncio.create_task(worker.wait_until_idle())
        await asyncio.sleep(0)
        assert not idling.done()
    await asyncio.wait_for(idling, 10)


async def test_idleness_is_told_once_each_time(context: Context):
    """E26, I15: not between two jobs that follow each other closely, and with a poll of a minute, too."""
    told: list[Event] = []
    context.add_event_handler(told.append)

    @context.job(name="j")
    async def job(payload: int) -> None: ...

    def kinds() -> str:
        letters = {AttemptSucceeded: "j", WorkerIdle: "I"}
        return "".join(letters.get(type(event), "") for event in told)

    await context.deploy()
    async with Worker(context, name="w", poll_secs=60) as worker:
        await eventually(lambda: kinds() == "I")
        for _ in range(10):
            await (await job.enqueue(1)).result(timeout_secs=10)
        await eventually(lambda: kinds() == "I" + 10 * "j" + "I")
        await (await job.enqueue(1)).result(timeout_secs=10)
        await eventually(lambda: kinds() == "I" + 10 * "j" + "IjI")
        ids = {(event.worker_id, event.name) for event in told if isinstance(event, WorkerIdle)}
        assert ids == {(worker.worker_id, "w")}


async def test_idleness_of_a_worker_that_was_not_started_is_refused(context: Context):
    """E26: it would say that all is done when nothing was."""
    worker = Worker(context)
    with pytest.raises(RuntimeError, match="not started"):
        await worker.wait_until_idle()
