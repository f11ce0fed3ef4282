"""What a worker sets up for its work functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cuckmq import Attempt, Context, JobState, Worker
from cuckmq.errors import ConfigurationError, JobFailed
from cuckmq.testing import drain


class Clients:
    """Something that is open or not."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_open = True


class Maker:
    """Makes clients, and keeps them for the test to look at."""

    def __init__(self) -> None:
        self.made: list[Clients] = []

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[Clients]:
        clients = Clients(len(self.made))
        self.made.append(clients)
        try:
            yield clients
        finally:
            clients.is_open = False


@pytest.fixture
def maker(context: Context) -> Maker:
    context.worker_state = maker = Maker()
    return maker


async def test_work_functions_get_what_the_worker_has_set_up(context: Context, maker: Maker):
    """E27: async and sync; once for each worker, from its start to its stop; anew when it starts again."""

    @context.job(name="loop")
    async def loop(payload: None, attempt: Attempt[Clients]) -> tuple[int, bool]:
        return attempt.state.number, attempt.state.is_open

    @context.job(name="thread")
    def thread(payload: None, attempt: Attempt[Clients]) -> tuple[int, bool]:
        return attempt.state.number, attempt.state.is_open

    await context.deploy()
    worker = Worker(context)
    assert maker.made == []
    for number in range(2):
        async with worker:
            assert len(maker.made) == number + 1
            for definition in (loop, thread, loop):
                handle = await definition.enqueue()
                assert await handle.result(timeout_secs=10) == (number, True)
        assert [each.is_open for each in maker.made] == [False] * (number + 1)
    async with Worker(context), Worker(context):
        assert [each.is_open for each in maker.made] == [False, False, True, True]


async def test_it_is_there_before_the_first_claim_and_after_the_last_job(context: Context, maker: Maker):
    """E27: jobs that wait already meet it whole, and a job that is finished at stop still has it."""
    entered, seen = asyncio.Event(), list[bool]()

    @context.job(name="slow")
    async def slow(payload: None, attempt: Attempt[Clients]) -> None:
        entered.set()
        await asyncio.sleep(0.2)
        seen.append(attempt.state.is_open)

    await context.deploy()
    handle = await slow.enqueue()
    worker = Worker(context)
    await worker.start()
    await entered.wait()
    await worker.stop()
    assert seen == [True]
    assert not maker.made[0].is_open
    assert (await handle.get()).state == JobState.SUCCEEDED


async def test_a_set_up_that_fails_is_raised_by_start(context: Context):
    """E27: nothing was claimed or registered, nothing is left running, and the next start may succeed."""
    attempts = 0

    @asynccontextmanager
    async def open_clients() -> AsyncGenerator[str]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise OSError("no route")
        yield "open"

    @context.job(name="say")
    async def say(payload: None, attempt: Attempt[str]) -> str:
        return attempt.state

    context.worker_state = open_clients
    await context.deploy()
    handle = await say.enqueue()
    worker = Worker(context)
    with pytest.raises(OSError, match="no route"):
        await worker.start()
    assert (await handle.get()).state == JobState.QUEUED
    assert await context.workers.list() == []
    async with worker:
        assert await handle.result(timeout_secs=10) == "open"


async def test_a_start_that_fails_later_tears_it_down(context: Context, maker: Maker):
    """E27: the set-up is undone when the queue cannot be reached."""

    async def refuse() -> None:
        raise OSError("no route")

    worker = Worker(context)
    context.recognize = refuse  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no route"):
        await worker.start()
    assert [each.is_open for each in maker.made] == [False]


async def test_a_tear_down_that_fails_is_logged(context: Context, caplog: pytest.LogCaptureFixture):
    """E27: the worker has ended by then, and can be started again."""

    @asynccontextmanager
    async def open_clients() -> AsyncGenerator[None]:
        yield None
        raise OSError("stuck")

    @context.job(name="none")
    async def none(payload: None, attempt: Attempt[None]) -> None:
        assert attempt.state is None

    context.worker_state = open_clients
    await context.deploy()
    worker = Worker(context)
    for _ in range(2):
        async with worker:
            await (await none.enqueue()).result(timeout_secs=10)
    assert caplog.text.count("the state of this worker could not be torn down") == 2


async def test_without_a_state_the_error_says_what_to_do(context: Context):
    """E27: it ends the job and nothing else."""

    @context.job(name="say")
    async def say(payload: None, attempt: Attempt) -> str:
        return str(attempt.state)

    await context.deploy()
    async with Worker(context):
        with pytest.raises(
            JobFailed, match=r"has no state: name one, as in Context\(worker_state=open_clients\)"
        ):
            await (await say.enqueue()).result(timeout_secs=10)


async def test_drain_has_it_too(context: Context, maker: Maker):
    """E27: every worker of the context, whoever starts it."""

    @context.job(name="say")
    async def say(payload: None, attempt: Attempt[Clients]) -> bool:
        return attempt.state.is_open

    await context.deploy()
    await say.enqueue()
    assert [job.result for job in await drain(context)] == [True]
    assert not maker.made[0].is_open


@asynccontextmanager
async def opened() -> AsyncGenerator[None]:
    yield


@pytest.mark.parametrize("state", [Clients(1), "state"])
def test_a_state_is_named_by_a_function(state: Any) -> None:
    """E27: refused where it is written."""
    with pytest.raises(ConfigurationError, match=r"worker_state is a function .* name the function"):
        Context("host=/nonexistent", worker_state=state)


async def test_a_function_that_gives_no_context_manager(context: Context):
    """E27: refused at start, before anything is claimed."""
    context.worker_state = lambda: 5  # type: ignore[assignment,return-value]
    with pytest.raises(ConfigurationError, match="gave 5, which is no async context manager"):
        await Worker(context).start()
