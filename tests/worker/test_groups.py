"""Job groups: one at a time, in order, over definitions, channels and workers; and fair."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest

from cuckmq import Attempt, Context, JobState, Worker
from cuckmq.events import Event, GroupDeleted


@pytest.mark.parametrize("job_secs", [0.0, 0.002])
async def test_a_group_runs_one_at_a_time_and_in_order(context: Context, job_secs: float):
    """E7, E8: never two of a group at once, over two definitions, two channels and three workers."""
    running: dict[str, int] = defaultdict(int)
    overlaps: list[str] = []
    order: dict[str, list[int]] = defaultdict(list)

    async def work(payload: int, attempt: Attempt) -> None:
        group = attempt.job_group or ""
        running[group] += 1
        if running[group] > 1:
            overlaps.append(group)
        order[f"{group}/{attempt.name}"].append(payload)
        await asyncio.sleep(job_secs)
        running[group] -= 1

    one = context.job(name="one", job_group=lambda payload: f"g{payload % 7}")(work)
    two = context.job(name="two", channel="other", job_group=lambda payload: f"g{payload % 7}")(work)
    await context.deploy()
    async with Worker(context), Worker(context), Worker(context):
        handles = []
        for number in range(0, 200, 20):
            handles += await one.enqueue_many(list(range(number, number + 20)))
            handles += [await two.enqueue(each) for each in range(number, number + 20)]
        for handle in handles:
            await handle.result(timeout_secs=30)
    assert overlaps == []
    assert sum(len(each) for each in order.values()) == 400
    assert all(each == sorted(each) for each in order.values())


async def test_without_a_group_jobs_run_side_by_side_and_cost_no_group(context: Context):
    """E9: no group is the default; a function of the payload may give one, or None."""
    together = asyncio.Barrier(3)

    @context.job(name="free", job_group=lambda payload: None if payload < 3 else "late")
    async def free(payload: int, attempt: Attempt) -> str | None:
        if payload < 3:
            await together.wait()
        return attempt.job_group

    await context.deploy()
    async with Worker(context):
        handles = [await free.enqueue(number) for number in range(4)]
        assert [await handle.result(timeout_secs=10) for handle in handles] == [None, None, None, "late"]


async def test_the_group_goes_on_after_success_failure_and_retry_wait(context: Context):
    """E10: whatever becomes of a job, its group is free for the next; a waiting retry does not hold it."""
    seen: list[int] = []

    @context.job(name="mixed", num_attempts=2, backoff=0.3, job_group="g")
    async def mixed(payload: int, attempt: Attempt) -> None:
        seen.append(payload)
        if payload == 1 and attempt.number == 1:
            raise RuntimeError

    await context.deploy()
    async with Worker(context):
        handles = await mixed.enqueue_many([1, 2, 3])
        for handle in handles:
            await handle.result(timeout_secs=10)
    assert seen == [1, 2, 3, 1]


async def test_a_graceful_stop_releases_the_group(context: Context):
    """E10, E34: a job cut off by stop goes back, with no try counted, and its group is free."""
    started = asyncio.Event()

    @context.job(name="slow", job_group="g")
    async def slow(payload: int) -> str:
        if not started.is_set():
            started.set()
            await asyncio.sleep(60)
        return "done"

    await context.deploy()
    handles = [await slow.enqueue(1), await slow.enqueue(2)]
    async with Worker(context, shutdown_secs=0):
        await started.wait()
    for handle in handles:
        job = await handle.get()
        assert (job.state, job.error_count, job.stall_count) == (JobState.QUEUED, 0, 0)
    assert await context.jobs.find_problems() == []
    async with Worker(context):
        assert await handles[0].result(timeout_secs=10) == "done"
        assert await handles[1].result(timeout_secs=10) == "done"


async def test_an_emptied_group_is_told_of_and_leaves_nothing(context: Context):
    """I14, L3: nothing of a group stays when its line is empty."""
    events: list[Event] = []

    @context.job(name="j", job_group="g")
    async def job(payload: int) -> None: ...

    context.add_event_handler(events.append)
    await context.deploy()
    async with Worker(context):
        for handle in await job.enqueue_many([1, 2, 3]):
            await handle.result(timeout_secs=10)
    assert [each.job_group for each in events if isinstance(each, GroupDeleted)][-1] == "g"
    async with context.database.connection() as connection:
        for table in ("group_lease", "waiting", "ready", "running", "scheduled"):
            cursor = await connection.execute(f'select count(*) from "{context.schema}".{table}')
            assert await cursor.fetchone() == (0,)


async def test_a_busy_group_does_not_hold_up_others(context: Context):
    """E8: jobs of other groups and of none pass by a group that is being served."""
    release = asyncio.Event()

    @context.job(name="busy", job_group="busy")
    async def busy(payload: int) -> None:
        await release.wait()

    @context.job(name="quick")
    async def quick(payload: int) -> int:
        return payload

    await context.deploy()
    async with Worker(context, concurrency=2):
        held = await busy.enqueue_many(list(range(50)))
        others = [await quick.enqueue(number, job_group=f"g{number % 3}") for number in range(20)]
        others += [await quick.enqueue(number) for number in range(20)]
        for handle in others:
            await handle.result(timeout_secs=10)
        release.set()
        for handle in held:
            await handle.result(timeout_secs=10)


async def test_a_slice_that_was_lost_does_not_release_the_group_from_under_the_next(context: Context):
    """E8, E15: a worker taken for dead wins the group again, while its old lane is still at work."""
    begun: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
    may_end: defaultdict[tuple[int, int], asyncio.Event] = defaultdict(asyncio.Event)

    @context.job(name="stubborn", job_group="g", num_stalls=5)
    async def stubborn(payload: int, attempt: Attempt) -> None:
        run = (payload, attempt.number)
        begun.put_nowait(run)
        try:
            await may_end[run].wait()
        except asyncio.CancelledError:
            await may_end[run].wait()

    @context.job(name="free")
    async def free(payload: int) -> None: ...

    await context.deploy()
    async with Worker(context, concurrency=3) as worker:
        handles = await stubborn.enqueue_many([1, 2])
        assert await asyncio.wait_for(begun.get(), 10) == (1, 1)
        async with context.database.connection() as connection:
            await connection.execute(f'update "{context.schema}".worker set lease_secs = 0.000001')
            await connection.execute(f'select from "{context.schema}".rescue()')
        worker._presence.heart.beat_now()
        assert await asyncio.wait_for(begun.get(), 10) == (1, 2)
        may_end[1, 1].set()
        for _ in range(2):  # what a lane has laid down goes with the next exchange
            await (await free.enqueue(1)).result(timeout_secs=10)
        assert begun.empty()
        for number, run in enumerate([(1, 2), (2, 1)]):
            may_end[run].set()
            await handles[number].result(timeout_secs=10)
