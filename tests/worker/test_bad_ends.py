"""Errors and results that nobody can write down as they are: the job ends all the same, and at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from cuckmq import Context, JobState, Worker
from cuckmq.errors import JobFailed
from tests.unit.test_record import Exiting, Unprintable, Wordless


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("locked", threading.Lock())


def circle() -> Exception:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    return one


def chain() -> Exception:
    error = ValueError("0")
    for number in range(1, 5_000):
        another = ValueError(str(number))
        another.__cause__ = error
        error = another
    return error


ERRORS: dict[str, Callable[[], Exception]] = {
    "huge": lambda: ValueError("\0\ud800" + "x" * 50_000_000),
    "unprintable": Unprintable,
    "exiting": Exiting,
    "wordless": Wordless,
    "unpicklable": Unpicklable,
    "circle": circle,
    "chain": chain,
    "group": lambda: ExceptionGroup("several \0", [ValueError("\ud800"), circle()]),
}


@pytest.mark.fault("F3")
async def test_whatever_an_error_is_like_its_job_fails(context: Context) -> None:
    """F8, F10: in the loop and in threads: a record is kept, cut and cleaned, and the next job runs."""

    @context.job(name="in-loop")
    async def in_loop(payload: str) -> None:
        error = ERRORS[payload]()
        raise error

    @context.job(name="in-thread")
    def in_thread(payload: str) -> None:
        error = ERRORS[payload]()
        raise error

    await context.deploy()
    async with Worker(context, concurrency=1):
        for definition in (in_loop, in_thread):
            for name, make in ERRORS.items():
                handle = await definition.enqueue(name)
                with pytest.raises(JobFailed):
                    await handle.result(timeout_secs=20)
                job = await handle.get()
                (error,) = job.errors
                assert (job.state, job.reason, job.attempt) == (JobState.FAILED, "error", 1), name
                assert error.type == type(make()).__qualname__
                assert len(error.message) + len(error.traceback) < 20_000
                f"{error.message}{error.traceback}".encode()


def recursive() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(3_000):
        value = [value]
    return value


RESULTS: dict[str, Callable[[], Any]] = {
    "recursive": recursive,
    "deep": deep,
    "not a number": lambda: {"a": [float("nan")]},
    "nul": lambda: "a\0",
    "surrogate": lambda: ["\ud800"],
    "object": object,
    "lock": threading.Lock,
}


@pytest.mark.fault("F4")
async def test_a_result_that_cannot_be_kept_fails_its_job_once(context: Context) -> None:
    """F10: the work was done and is not done again; 10 MB are kept."""
    runs: list[str] = []

    @context.job(name="make", num_attempts=5, backoff=0)
    async def make(payload: str) -> Any:
        runs.append(payload)
        return RESULTS[payload]() if payload in RESULTS else "x" * 10_000_000

    await context.deploy()
    async with Worker(context, concurrency=1):
        for name in RESULTS:
            with pytest.raises(JobFailed) as caught:
                await (await make.enqueue(name)).result(timeout_secs=10)
            assert caught.value.reason == "invalid_result", name
        assert await (await make.enqueue("large")).result(timeout_secs=20) == "x" * 10_000_000
    assert runs == [*RESULTS, "large"]


@pytest.mark.parametrize("group", [None, "g"])
async def test_a_job_that_cancels_its_own_task_harms_no_other(context: Context, group: str | None) -> None:
    """The task is the lane's, and others run in it after this one."""

    @context.job(name="selfish")
    async def selfish(payload: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return payload

    @context.job(name="innocent")
    async def innocent(payload: int) -> int:
        await asyncio.sleep(0)
        return payload

    await context.deploy()
    handles = []
    for number in range(20):
        handles += await selfish.enqueue_many([number], job_group=group)
        handles += await innocent.enqueue_many([number], job_group=group)
    async with Worker(context, concurrency=1):
        for index, handle in enumerate(handles):
            assert await handle.result(timeout_secs=10) == index // 2
