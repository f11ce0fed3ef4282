"""Jobs that follow each other in one task, each in a context of its own."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context

import pytest

from cuckmq._runtime.isolation import Isolated

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


async def take(name: str) -> tuple[str, str]:
    before = tenant.get()
    tenant.set(name)
    await asyncio.sleep(0)
    return before, tenant.get()


async def test_what_one_job_sets_the_next_does_not_see() -> None:
    assert await Isolated(take("a")) == ("nobody", "a")
    assert await Isolated(take("b")) == ("nobody", "b")
    assert tenant.get() == "nobody"


async def test_a_job_sees_what_was_set_around_it() -> None:
    tenant.set("worker")
    assert await Isolated(take("a")) == ("worker", "a")


async def test_a_context_can_be_given() -> None:
    context = copy_context()
    await Isolated(take("a"), context)
    assert context[tenant] == "a"
    assert tenant.get() == "nobody"


async def test_tasks_begun_inside_inherit_the_job_s_context() -> None:
    async def job() -> tuple[str, str]:
        tenant.set("a")
        return await asyncio.create_task(take("child"))

    assert await Isolated(job()) == ("a", "child")


async def test_what_is_raised_comes_out() -> None:
    async def job() -> None:
        await asyncio.sleep(0)
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        await Isolated(job())


async def test_stop_iteration_becomes_a_runtime_error_as_in_any_coroutine() -> None:
    async def job() -> None:
        raise StopIteration(5)

    with pytest.raises(RuntimeError, match="StopIteration"):
        await Isolated(job())


async def test_a_cancellation_reaches_inside() -> None:
    started, cleaned_as = asyncio.Event(), []

    async def job() -> None:
        tenant.set("a")
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_as.append(tenant.get())

    async def lane() -> None:
        await Isolated(job())

    task = asyncio.create_task(lane())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned_as == ["a"]


async def test_a_job_may_survive_its_cancellation() -> None:
    started = asyncio.Event()

    async def job() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return f"finished by {tenant.get()}"
        return "never cancelled"

    async def lane() -> str:
        return await Isolated(job())

    task = asyncio.create_task(lane())
    await started.wait()
    task.cancel()
    assert await task == "finished by nobody"


async def test_asyncio_timeout_works_inside() -> None:
    async def job() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "late"
        return "in time"

    assert await Isolated(job()) == "late"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_task_group_works_inside() -> None:
    async def fail() -> None:
        raise ValueError("one of them")

    async def job() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            group.create_task(fail())

    with pytest.raises(ExceptionGroup) as caught:
        await Isolated(job())
    assert caught.group_contains(ValueError, match="one of them")
    assert await Isolated(take("next")) == ("nobody", "next")


async def test_current_task_is_the_lane_s() -> None:
    async def job() -> asyncio.Task[object] | None:
        return asyncio.current_task()

    assert await Isolated(job()) is asyncio.current_task()


def test_closing_it_unfinished_cleans_up_inside() -> None:
    cleaned_as = []

    async def job() -> None:
        tenant.set("a")
        try:
            await asyncio.Future(loop=loop)
        finally:
            cleaned_as.append(tenant.get())

    loop = asyncio.new_event_loop()
    steps = Isolated(job()).__await__()
    next(steps)
    steps.close()
    loop.close()
    assert cleaned_as == ["a"]
