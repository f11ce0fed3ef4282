"""A worker that moves between channels while it lives."""

from __future__ import annotations

import asyncio

import pytest

from cuckmq import Context, JobState, Worker
from cuckmq.errors import ConfigurationError
from tests.support.eventually import eventually


async def _registered(context: Context) -> list[list[str] | None]:
    async with context.database.connection() as connection:
        cursor = await connection.execute(f'select channels from "{context.schema}".worker order by id')
        return [row[0] for row in await cursor.fetchall()]


async def test_a_living_worker_takes_on_a_channel_and_gives_one_up(context: Context):
    """E2, E4: its jobs are run from then on, or not any more; the worker's row says so."""

    @context.job(name="a", channel="A")
    async def a() -> str:
        return "a"

    @context.job(name="b", channel="B")
    async def b() -> str:
        return "b"

    await context.deploy()
    worker = Worker(context, channels=["A"], poll_secs=0.01)
    async with worker:
        worker_id = worker.worker_id
        early = await b.enqueue()
        assert await (await a.enqueue()).result(timeout_secs=10) == "a"
        assert (await early.get()).state == JobState.QUEUED
        await worker.add_channel("B")
        await worker.add_channel("B")
        assert await _registered(context) == [["A", "B"]]
        assert await early.result(timeout_secs=10) == "b"
        await worker.remove_channel("A")
        await worker.remove_channel("A")
        assert await _registered(context) == [["B"]]
        late = await a.enqueue()
        assert await (await b.enqueue()).result(timeout_secs=10) == "b"
        assert (await late.get()).state == JobState.QUEUED
        assert worker.worker_id == worker_id
        await worker.remove_channel("B")
        assert await _registered(context) == [[]]
    assert worker.channels == []
    await worker.add_channel("A")
    async with worker:
        assert await _registered(context) == [["A"]]
        assert await late.result(timeout_secs=10) == "a"


async def test_what_was_claimed_ahead_goes_back_unharmed_and_what_runs_goes_on(context: Context):
    """E4: every job runs once, no try is counted, and the one that ran is not disturbed."""
    started, release = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    @context.job(name="short", channel="A")
    async def short(payload: int) -> None:
        if payload == 250:
            started.set()
            await release.wait()
        ran.append(payload)

    await context.deploy()
    handles = await short.enqueue_many(list(range(500)))
    async with Worker(context, channels=["A", "B"], concurrency=1) as worker:
        await started.wait()
        await eventually(lambda: len(worker._desk.in_hand) > 1)
        await worker.remove_channel("A")
        await eventually(lambda: list(worker._desk.in_hand) == [handles[250].id])
        counts = await context.jobs.count()
        assert (counts[JobState.RUNNING], counts[JobState.QUEUED]) == (1, 249)
        async with Worker(context, channels=["A"]):
            await asyncio.gather(
                *(each.result(timeout_secs=10) for each in handles if each is not handles[250])
            )
        assert (await handles[250].get()).state == JobState.RUNNING
        release.set()
        await handles[250].result(timeout_secs=10)
    assert sorted(ran) == list(range(500))
    jobs = await context.jobs.get_many([each.id for each in handles])
    assert {(job.error_count, job.stall_count) for job in jobs} == {(0, 0)}


async def test_a_slice_of_a_group_that_has_begun_goes_back_but_for_the_job_that_runs(context: Context):
    """E4, E9: the group stays with the worker until that job has ended; then others take it."""
    started, release = asyncio.Event(), asyncio.Event()
    ran: list[int] = []

    @context.job(name="short", channel="A", job_group="g")
    async def short(payload: int) -> None:
        if payload == 250:
            started.set()
            await release.wait()
        ran.append(payload)

    await context.deploy()
    handles = await short.enqueue_many(list(range(500)))
    async with Worker(context, channels=["A"], concurrency=4) as worker:
        await started.wait()
        await worker.remove_channel("A")
        await eventually(lambda: list(worker._desk.in_hand) == [handles[250].id])
        async with Worker(context, channels=["A"], poll_secs=0.01):
            assert await context.jobs.find_problems() == []
            release.set()
            await asyncio.gather(*(each.result(timeout_secs=10) for each in handles))
    assert ran == list(range(500))


async def test_a_worker_that_serves_all_channels_refuses_both(context: Context):
    """E4: there is nothing to add, and what is left could not be named."""
    worker = Worker(context)
    for change in (worker.add_channel, worker.remove_channel):
        with pytest.raises(ConfigurationError, match="serves all channels"):
            await change("A")
    worker = Worker(context, channels=["A"])
    for change in (worker.add_channel, worker.remove_channel):
        with pytest.raises(ConfigurationError, match="channel"):
            await change("")
