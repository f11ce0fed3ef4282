"""How daemons begin and end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cuckmq import Attempt, Context, JobState, Orchestrator, Worker
from cuckmq.errors import ConfigurationError, JobCancelled, SchemaMissing
from tests.support.eventually import eventually


async def test_constructing_starts_nothing_and_stopping_is_safe_at_any_time(context: Context):
    """A5, E33: construct, start and stop are three things; stop before start, stop twice, start again."""

    @context.job(name="j")
    async def job(payload: int) -> int:
        return payload

    await context.deploy()
    for daemon in (Worker(context), Orchestrator(context)):
        await daemon.stop()
        await daemon.start()
        await daemon.start()
        await daemon.stop()
        await daemon.stop()
    worker = Worker(context)
    for number in range(2):
        await worker.start()
        assert await (await job.enqueue(number)).result(timeout_secs=10) == number
        await worker.stop()
    await eventually(lambda: not [each for each in threading.enumerate() if each.name == "cuckmq-heart"])
    assert [
        each.get_name() for each in asyncio.all_tasks() if each.get_name().startswith("cuckmq-lane")
    ] == []


async def test_stop_finishes_what_runs_and_what_was_hinted_at(context: Context):
    """E33, M4: work in hand is finished; what this process enqueued before stop is looked at once more."""
    done: list[int] = []

    @context.job(name="j")
    async def job(payload: int) -> None:
        await asyncio.sleep(0.05)
        done.append(payload)

    await context.deploy()
    for _ in range(5):
        async with Worker(context):
            await job.enqueue(1)
    assert len(done) == 5
    assert (await context.jobs.count())[JobState.SUCCEEDED] == 5


@pytest.mark.fault("A9")
async def test_stop_lets_go_after_the_shutdown_time(context: Context):
    """E34, M4: what does not end in time goes back unharmed and is run by the next worker."""
    started = threading.Barrier(3)
    is_first = True

    @context.job(name="async")
    async def slow_async(payload: int) -> str:
        if is_first:
            await asyncio.to_thread(started.wait)
            await asyncio.sleep(60)
        return "done"

    @context.job(name="sync")
    def slow_sync(payload: int, attempt: Attempt) -> str:
        if is_first:
            started.wait()
            while not attempt.is_cancelled:
                threading.Event().wait(0.005)
        return "done"

    await context.deploy()
    handles = [await slow_async.enqueue(1), await slow_sync.enqueue(1)]
    async with Worker(context, shutdown_secs=0.1):
        await asyncio.to_thread(started.wait)
    is_first = False
    assert [(await each.get()).state for each in handles] == [JobState.QUEUED] * 2
    async with Worker(context):
        for handle in handles:
            assert await handle.result(timeout_secs=10) == "done"
            job = await handle.get()
            assert (job.attempt, job.error_count, job.stall_count) == (2, 0, 0)


@pytest.mark.fault("G4")
async def test_stop_ends_though_a_job_ignores_it(context: Context):
    """E34: a work function that swallows its cancellation cannot keep the worker from ending."""
    started, release = asyncio.Event(), asyncio.Event()

    @context.job(name="stubborn")
    async def stubborn(payload: int) -> None:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    await context.deploy()
    handle = await stubborn.enqueue(1)
    async with asyncio.timeout(15):
        async with Worker(context, shutdown_secs=0):
            await started.wait()
    assert (await handle.get()).state == JobState.QUEUED
    release.set()


async def test_cancel_reaches_queued_and_running_jobs(context: Context):
    """C10, C12: before it runs it never runs; while it runs it is told, and ends cancelled once."""
    started = asyncio.Event()
    cancelled: list[str] = []

    @context.job(name="async")
    async def in_loop(payload: int) -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append("async")
            raise

    @context.job(name="sync")
    def in_thread(payload: int, attempt: Attempt) -> None:
        while not attempt.is_cancelled:
            threading.Event().wait(0.005)
        cancelled.append("sync")

    await context.deploy()
    queued, delayed = await in_loop.enqueue(1), await in_loop.enqueue(1, delay_secs=100)
    assert await queued.cancel()
    assert await delayed.cancel()
    assert not await queued.cancel()
    async with Worker(context):
        running = [await in_loop.enqueue(1), await in_thread.enqueue(1)]
        await started.wait()
        await eventually(lambda: _are_running(running))
        for handle in running:
            assert await context.jobs.cancel(handle.id)
        for handle in [queued, delayed, *running]:
            with pytest.raises(JobCancelled):
                await handle.result(timeout_secs=10)
    assert sorted(cancelled) == ["async", "sync"]
    assert not await context.jobs.cancel(10**9)


async def _are_running(handles) -> bool:
    return [(await handle.get()).state for handle in handles] == [JobState.RUNNING] * len(handles)


async def test_a_missing_schema_is_refused_with_the_command_to_run(dsn: str, schema: str):
    """A3: worker and orchestrator stop with a message that names the command."""
    async with Context(dsn, schema=schema) as context:
        for daemon in (Worker(context), Orchestrator(context)):
            with pytest.raises(SchemaMissing, match=f"cuckmq migrate --schema {schema}"):
                await daemon.start()
            await daemon.stop()


def test_options_are_checked_at_construction(dsn: str):
    """D6: every interval is an option, and a wrong one is refused where it is given."""
    context = Context(dsn)
    for wrong in (
        {"concurrency": 0},
        {"concurrency": True},
        {"channels": "mail"},
        {"channels": [""]},
        {"poll_secs": -1},
        {"lease_secs": 1.0, "heartbeat_secs": 2.0},
        {"shutdown_secs": float("nan")},
        {"name": "a\nb"},
    ):
        with pytest.raises(ConfigurationError):
            Worker(context, **wrong)
    for wrong in ({"job_schedule_poll_secs": 0}, {"job_delete_poll_secs": "x"}):
        with pytest.raises(ConfigurationError):
            Orchestrator(context, **wrong)
