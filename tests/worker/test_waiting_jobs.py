"""Jobs that wait for jobs they have put in, without keeping a lane from those."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cuckmq import Attempt, Context, JobDefinition, JobState, Worker
from cuckmq.errors import CircularWait, JobFailed, ResultTimeout
from tests.support.eventually import eventually


@pytest.fixture
async def crowd(context: Context) -> Crowd:
    return Crowd(context)


class Crowd:
    """A job that adds up, and how many of it ran at once."""

    def __init__(self, context: Context) -> None:
        self.now = self.most = 0

        @context.job(name="ADD")
        async def add(number: int) -> int:
            self.enter()
            await asyncio.sleep(0.001)
            self.leave()
            return number

        self.add: JobDefinition[int, int] = add

    def enter(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def leave(self) -> None:
        self.now -= 1


async def test_a_parent_awaits_its_children_on_a_worker_of_one(context: Context, crowd: Crowd) -> None:
    """E32: ten children, one after the other and all at once; and never more than one runs."""

    @context.job(name="SUM")
    async def total(numbers: list[int]) -> int:
        crowd.enter()
        handles = await crowd.add.enqueue_many(numbers)
        crowd.leave()
        one_by_one = [await handle.result() for handle in handles]
        together = await asyncio.gather(
            *(handle.result() for handle in await crowd.add.enqueue_many(numbers))
        )
        crowd.enter()
        await asyncio.sleep(0.001)
        crowd.leave()
        assert one_by_one == together
        return sum(together)

    await context.deploy()
    async with Worker(context, concurrency=1):
        assert await (await total.enqueue(list(range(10)))).result(timeout_secs=30) == 45
    assert crowd.most == 1


async def test_parents_of_parents(context: Context) -> None:
    """E32: five deep and three wide on one lane, by calls of itself."""

    @context.job(name="COUNT")
    async def count(depth: int) -> int:
        if depth == 0:
            return 1
        handles = await count.enqueue_many([depth - 1] * 3)
        return sum([await handle.result() for handle in handles])

    await count.deploy()
    async with Worker(context, concurrency=1):
        assert await (await count.enqueue(5)).result(timeout_secs=60) == 3**5


async def test_sync_parents(context: Context) -> None:
    """E32: their threads wait, and others are begun."""

    @context.job(name="COUNT")
    def count(depth: int) -> int:
        if depth == 0:
            return 1
        return sum(handle.result_sync() for handle in count.enqueue_many_sync([depth - 1] * 2))

    await count.deploy()
    async with Worker(context, concurrency=1):
        assert await (await count.enqueue(4)).result(timeout_secs=60) == 2**4


async def test_no_more_run_than_the_worker_was_told(context: Context, crowd: Crowd) -> None:
    """E32: many parents come back at once, and wait for their turn."""

    @context.job(name="PARENT")
    async def parent(number: int) -> int:
        crowd.enter()
        handle = await crowd.add.enqueue(number)
        crowd.leave()
        result = await handle.result()
        crowd.enter()
        await asyncio.sleep(0.002)
        crowd.leave()
        return result

    await context.deploy()
    async with Worker(context, concurrency=3):
        handles = await parent.enqueue_many(range(40))
        assert [await handle.result(timeout_secs=60) for handle in handles] == list(range(40))
    assert crowd.most == 3


async def test_a_parent_whose_child_fails_or_takes_too_long_goes_on(context: Context) -> None:
    """E32, G4: in its lane, which is its own again."""

    @context.job(name="FAIL")
    async def fail() -> None:
        raise ValueError("no")

    @context.job(name="PARENT")
    async def parent() -> list[str]:
        told = []
        for handle in (await fail.enqueue(), await fail.enqueue(delay_secs=3600)):
            try:
                await handle.result(timeout_secs=5 if not told else 0.05)
            except (JobFailed, ResultTimeout) as error:
                told.append(type(error).__name__)
        return told

    await context.deploy()
    async with Worker(context, concurrency=1):
        for _ in range(3):
            assert await (await parent.enqueue()).result(timeout_secs=20) == ["JobFailed", "ResultTimeout"]


async def test_a_parent_is_cancelled_while_it_waits(context: Context) -> None:
    """E32, C12: it is told at once, and the worker works on as before."""
    told = asyncio.Event()

    @context.job(name="NEVER", channel="nowhere")
    async def never() -> None: ...

    @context.job(name="PARENT")
    async def parent() -> None:
        try:
            await (await never.enqueue()).result()
        except asyncio.CancelledError:
            told.set()
            raise

    @context.job(name="PING")
    async def ping() -> str:
        return "pong"

    await context.deploy()
    async with Worker(context, channels=["_default"], concurrency=1):
        for _ in range(3):
            told.clear()
            handle = await parent.enqueue()
            assert await (await ping.enqueue()).result(timeout_secs=10) == "pong"
            assert await handle.cancel()
            await asyncio.wait_for(told.wait(), 10)
            await eventually(lambda handle=handle: _is(handle, JobState.CANCELLED))
        assert await (await ping.enqueue()).result(timeout_secs=10) == "pong"


@pytest.mark.fault("G11")
async def test_a_job_that_would_wait_for_ever_is_told_so(context: Context, crowd: Crowd) -> None:
    """E32: for one of its group, at once or behind another; for one that waits for it; and for itself."""
    refused: list[tuple[int, str]] = []

    @context.job(name="PARENT", job_group="family")
    async def parent(payload: None, attempt: Attempt) -> int:
        sibling = await crowd.add.enqueue(1, job_group="family")
        behind = await crowd.add.enqueue(2, after=sibling)
        follower = await crowd.add.enqueue(3, after=attempt.job_id)
        own = await parent.find("own")
        assert own is not None
        for handle in (sibling, behind, follower, own):
            try:
                await handle.result()
            except CircularWait as error:
                refused.append((error.job_id, str(error)))
        with pytest.raises(ResultTimeout):
            await sibling.result(timeout_secs=0)
        assert [job_id for job_id, _ in refused] == [sibling.id, behind.id, follower.id, own.id]
        return await (await crowd.add.enqueue(7, job_group="other")).result()

    @context.job(name="LONER")
    def loner(payload: None, attempt: Attempt) -> None:
        loner.find_sync("own").result_sync()

    await context.deploy()
    async with Worker(context, concurrency=1):
        assert await (await parent.enqueue(unique_key="own")).result(timeout_secs=20) == 7
        with pytest.raises(JobFailed, match="CircularWait"):
            await (await loner.enqueue(unique_key="own")).result(timeout_secs=20)
    assert all("different groups" in message for _, message in refused)


async def test_a_group_that_several_may_serve_is_no_circle(context: Context, crowd: Crowd) -> None:
    """E32, E21."""

    @context.job(name="PARENT", job_group="family")
    async def parent() -> int:
        return await (await crowd.add.enqueue(7, job_group="family")).result()

    await context.deploy()
    await context.groups.limit("family", concurrency=2)
    async with Worker(context, concurrency=1):
        assert await (await parent.enqueue()).result(timeout_secs=20) == 7


async def test_a_worker_that_stops_gives_a_waiting_parent_back(context: Context) -> None:
    """E32, E34: with no try counted; the next worker runs it anew."""
    waiting = asyncio.Event()

    @context.job(name="CHILD", channel="children")
    async def child() -> int:
        return 7

    @context.job(name="PARENT")
    async def parent(payload: None, attempt: Attempt) -> int:
        handle = await child.enqueue(unique_key="one")
        waiting.set()
        return await handle.result() + attempt.error_count

    await context.deploy()
    async with Worker(context, channels=["_default"], shutdown_secs=0.05):
        handle = await parent.enqueue()
        await asyncio.wait_for(waiting.wait(), 10)
    assert (await handle.get()).state == JobState.QUEUED
    async with Worker(context, concurrency=1):
        assert await handle.result(timeout_secs=20) == 7


async def test_what_a_job_leaves_behind_waits_in_nobodys_lane(context: Context, crowd: Crowd) -> None:
    """E32: a task that outlives its job does not open lanes, nor close them."""
    left: list[asyncio.Task[int]] = []

    @context.job(name="PARENT")
    async def parent() -> None:
        handle = await crowd.add.enqueue(1)
        left.append(asyncio.create_task(handle.result()))
        await asyncio.sleep(0)

    await context.deploy()
    async with Worker(context, concurrency=1):
        for _ in range(5):
            await (await parent.enqueue()).result(timeout_secs=10)
        handles = await crowd.add.enqueue_many(range(20))
        for handle in handles:
            await handle.result(timeout_secs=10)
        assert await asyncio.gather(*left) == [1] * 5
    assert crowd.most == 1


async def test_a_script_waits_in_its_thread(context: Context, crowd: Crowd) -> None:
    """G3, G4: without an event loop of its own, with and without a limit."""
    await context.deploy()
    late = await crowd.add.enqueue(1, delay_secs=3600)
    with pytest.raises(ResultTimeout):
        await asyncio.to_thread(late.result_sync, timeout_secs=0.05)
    handle = await crowd.add.enqueue(5)
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(handle.result_sync(timeout_secs=20)))
    thread.start()
    async with Worker(context):
        await asyncio.to_thread(thread.join, 20)
    assert seen == [5]


async def _is(handle: object, state: JobState) -> bool:
    return (await handle.get()).state == state  # type: ignore[attr-defined, no-any-return]
