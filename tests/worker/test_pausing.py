"""A worker that pauses: it claims nothing, and everything else goes on."""

from __future__ import annotations

import asyncio

from cuckmq import Context, JobState, Worker
from tests.support.eventually import eventually


async def test_a_paused_worker_claims_nothing_and_finishes_what_it_has(context: Context):
    """E23: pause and resume, each twice; what is in hand goes on, what comes waits."""
    started, release = asyncio.Event(), asyncio.Event()

    @context.job(name="slow")
    async def slow() -> str:
        started.set()
        await release.wait()
        return "done"

    await context.deploy()
    async with Worker(context, poll_secs=0.01) as worker:
        running = await slow.enqueue()
        await started.wait()
        assert not worker.is_paused
        await worker.pause()
        await worker.pause()
        assert worker.is_paused
        waiting = [await slow.enqueue() for _ in range(3)]
        release.set()
        assert await running.result(timeout_secs=10) == "done"
        await worker.pause(wait=True)
        assert [(await each.get()).state for each in waiting] == [JobState.QUEUED] * 3
        assert (await running.get()).state == JobState.SUCCEEDED
        worker.resume()
        worker.resume()
        assert not worker.is_paused
        for each in waiting:
            assert await each.result(timeout_secs=10) == "done"


async def test_no_claim_is_under_way_when_pause_returns(context: Context):
    """E23: whatever the moment, what runs after pause() returned was in hand by then, and all ends."""

    @context.job(name="j")
    async def job(payload: int) -> None: ...

    await context.deploy()
    handles = await job.enqueue_many(list(range(2000)))
    async with Worker(context, concurrency=3) as worker:
        for _ in range(20):
            await worker.pause()
            in_hand = dict(worker._desk.in_hand)
            await worker.pause(wait=True)
            counts = await context.jobs.count()
            assert counts[JobState.RUNNING] == 0
            assert worker._desk.in_hand == {}
            assert counts[JobState.QUEUED] + counts[JobState.SUCCEEDED] == 2000
            assert {(await context.jobs.get(each)).state for each in list(in_hand)[:3]} <= {
                JobState.SUCCEEDED
            }
            worker.resume()
        await asyncio.gather(*(handle.result(timeout_secs=20) for handle in handles[-10:]))
        await eventually(lambda: _are_done(context, 2000))


async def _are_done(context: Context, number: int) -> bool:
    return (await context.jobs.count())[JobState.SUCCEEDED] == number


async def test_a_paused_worker_goes_on_beating(context: Context):
    """E23: a pause longer than the lease costs it neither its id nor what it runs."""
    started, release = asyncio.Event(), asyncio.Event()

    @context.job(name="slow")
    async def slow() -> str:
        started.set()
        await release.wait()
        return "done"

    await context.deploy()
    async with (
        Worker(context, heartbeat_secs=0.05, lease_secs=0.4) as worker,
        Worker(context, heartbeat_secs=0.05, lease_secs=0.4, channels=["other"]),
    ):
        handle = await slow.enqueue()
        await started.wait()
        worker_id = worker.worker_id
        await worker.pause()

        async def has_beaten_for_two_leases() -> bool:
            async with context.database.connection() as connection:
                cursor = await connection.execute(
                    f"select heartbeat_at - started_at > interval '0.8 s' from \"{context.schema}\".worker "
                    "where id = %s",
                    (worker_id,),
                )
                return bool((await cursor.fetchone() or [False])[0])

        await eventually(has_beaten_for_two_leases)
        release.set()
        assert await handle.result(timeout_secs=10) == "done"
        assert worker.worker_id == worker_id
        assert (await handle.get()).stall_count == 0


async def test_waiting_in_a_pause_ends_with_resume_and_with_stop(context: Context):
    """E23: pause(wait=True) waits for nothing that cannot come."""
    started = asyncio.Event()

    @context.job(name="endless")
    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    await context.deploy()
    worker = Worker(context, shutdown_secs=0)
    async with worker:
        await endless.enqueue()
        await started.wait()
        for end in (worker.resume, worker.stop):
            pausing = asyncio.create_task(worker.pause(wait=True))
            await eventually(lambda: worker.is_paused)
            assert not pausing.done()
            ending = end()
            if ending is not None:
                await ending
            await asyncio.wait_for(pausing, 10)


async def test_a_worker_paused_before_its_start_starts_paused(context: Context):
    """E23, E33: a pause holds until resume(), also across stop and start."""

    @context.job(name="j")
    async def job() -> str:
        return "done"

    await context.deploy()
    worker = Worker(context, poll_secs=0.01)
    await worker.pause(wait=True)
    for _ in range(2):
        async with worker:
            handle = await job.enqueue()
            await context.listener.is_connected.wait()
            assert worker.is_paused
            assert worker.last_claim_secs is None
    assert (await handle.get()).state == JobState.QUEUED
    async with worker:
        worker.resume()
        assert await handle.result(timeout_secs=10) == "done"
