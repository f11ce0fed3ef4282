"""Threads for sync work functions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from cuckmq._runtime.threads import Threads
from tests.support.eventually import eventually

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads("unit")
    yield threads
    threads.close()


def living(name: str = "unit") -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith(f"{name}-")]


async def test_what_a_function_returns_is_awaited(threads: Threads) -> None:
    assert await threads.run(divmod, 17, 5) == (3, 2)


async def test_it_runs_in_a_named_daemon_thread(threads: Threads) -> None:
    thread = await threads.run(threading.current_thread)
    assert thread.name == "unit-1"
    assert thread.daemon


async def test_as_many_as_are_busy_and_no_more(threads: Threads) -> None:
    for number in (3, 5, 2):
        gate = threading.Barrier(number)
        await asyncio.gather(*(threads.run(gate.wait, 10) for _ in range(number)))
        await eventually(lambda: threads._num_awake == 0)  # one that has told its end is not idle yet
    assert len(living()) == 5


async def test_one_after_the_other_share_one_thread(threads: Threads) -> None:
    names = {(await threads.run(threading.current_thread)).name for _ in range(20)}
    assert names == {"unit-1"}


async def test_the_context_goes_along_and_does_not_leak(threads: Threads) -> None:
    def work(name: str) -> str:
        before = tenant.get()
        tenant.set(name)
        return before

    tenant.set("caller")
    assert await threads.run(work, "a") == "caller"
    assert await threads.run(work, "b") == "caller"
    assert tenant.get() == "caller"


@pytest.mark.parametrize("error", [KeyError("lost"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
async def test_whatever_is_raised_comes_out_and_the_thread_lives_on(
    threads: Threads, error: BaseException
) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await threads.run(work)
    assert caught.value is error
    assert (await threads.run(threading.current_thread)).name == "unit-1"


async def test_stop_iteration_becomes_a_runtime_error(threads: Threads) -> None:
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        await threads.run(next, iter(()))


async def test_waiting_can_be_cancelled_while_the_function_goes_on(threads: Threads) -> None:
    gate, done, started = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        gate.wait(10)
        done.set()

    task = asyncio.create_task(threads.run(work))
    await eventually(started.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    await eventually(done.is_set)
    assert await threads.run(abs, -1) == 1


async def test_closed_threads_end_when_they_are_free() -> None:
    threads = Threads("ending")
    await asyncio.gather(threads.run(abs, 1), threads.run(abs, 2))
    threads.close()
    await eventually(lambda: not living("ending"))


def test_a_loop_that_ended_meanwhile_is_not_told() -> None:
    threads = Threads("orphan")
    gate, started, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        gate.wait(10)

    async def leave() -> None:
        task = asyncio.create_task(threads.run(work))
        await eventually(started.is_set)
        task.cancel()

    asyncio.run(leave())
    gate.set()

    async def again() -> None:
        await threads.run(done.set)

    asyncio.run(again())
    assert done.is_set()
    threads.close()


async def test_who_comes_back_in_a_moment_is_waited_for(threads: Threads) -> None:
    counts = []
    for _ in range(20):
        calls = [threads.begin(abs, -number) for number in range(10)]
        counts.append(len(living()))
        assert [await each for each in calls] == list(range(10))
    assert counts[0] < 10  # one, unless this took long


async def test_a_call_behind_a_long_one_gets_a_thread_of_its_own(threads: Threads) -> None:
    gate = threading.Event()
    before, long, behind = (threads.begin(work) for work in (int, gate.wait, int))
    assert [await asyncio.wait_for(each, 10) for each in (before, behind)] == [0, 0]
    assert not long.done()
    gate.set()
    assert await long


async def test_the_end_of_one_is_told_though_the_next_takes_long(threads: Threads) -> None:
    gate = threading.Event()
    for _ in range(50):
        short, long = threads.begin(int), threads.begin(gate.wait)
        assert await asyncio.wait_for(short, 10) == 0
        gate.set()
        assert await long
        gate.clear()
