"""What the program hangs on to a worker may raise, block or never return: jobs go as they would without."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

import psycopg
import pytest

from cuckmq import Context, JobState, Worker
from cuckmq.errors import JobFailed
from cuckmq.events import AttemptStarted, Event
from tests.support.eventually import eventually
from tests.unit.test_log import Raising

LEASE_SECS = 1.0


def raises(event: Event) -> None:
    raise SystemExit("a handler")


async def raises_later(event: Event) -> None:
    await asyncio.sleep(0)
    raise SystemExit("a handler")


async def interrupts(event: Event) -> None:
    raise KeyboardInterrupt


async def cancels(event: Event) -> None:
    raise asyncio.CancelledError


async def never_returns(event: Event) -> None:
    await asyncio.Event().wait()


def blocks(event: Event) -> None:
    if isinstance(event, AttemptStarted):
        time.sleep(1.5 * LEASE_SECS)


@pytest.mark.fault("G6")
@pytest.mark.parametrize("handler", [raises, raises_later, interrupts, cancels, never_returns, blocks])
async def test_what_an_event_handler_does_changes_nothing(context: Context, handler) -> None:
    """F10, I1: each job runs once and ends as its work function says, and the worker keeps its id."""
    starts: list[str] = []

    @context.job(name="say")
    async def say(payload: str) -> str:
        starts.append(payload)
        if payload == "bad":
            raise ValueError(payload)
        return payload

    context.add_event_handler(handler)
    await context.deploy()
    async with Worker(context, heartbeat_secs=0.2, lease_secs=LEASE_SECS) as worker:
        first_id = worker.worker_id
        good, bad = await say.enqueue("good"), await say.enqueue("bad")
        assert await good.result(timeout_secs=20) == "good"
        with pytest.raises(JobFailed, match="ValueError: bad"):
            await bad.result(timeout_secs=20)
        assert worker.worker_id == first_id
    assert sorted(starts) == ["bad", "good"]
    assert [(await each.get()).state for each in (good, bad)] == [JobState.SUCCEEDED, JobState.FAILED]


@pytest.fixture
def broken_log() -> Iterator[None]:
    """Nothing can be written to the log of the library."""
    logger, handler = logging.getLogger("cuckmq"), Raising()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


@pytest.mark.fault("G7")
async def test_a_log_that_cannot_be_written(context: Context, dsn: str, broken_log: None) -> None:
    """F10: lanes, duties and the heart go on, though each has something to say."""

    @context.job(name="say", num_attempts=2, backoff=0)
    async def say(payload: str) -> str:
        if payload == "bad":
            raise ValueError(payload)
        return payload

    async def heartbeats() -> list[tuple[int, float]]:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as psql:
            cursor = await psql.execute(
                f'select id, extract(epoch from heartbeat_at)::float8 from "{context.schema}".worker'
            )
            return await cursor.fetchall()

    async def has_beaten_since(at: float) -> bool:
        return all(beaten_at > at for _, beaten_at in await heartbeats())

    await context.deploy()
    async with Worker(context, concurrency=1, heartbeat_secs=0.2):
        for _ in range(3):
            with pytest.raises(JobFailed, match="ValueError: bad"):
                await (await say.enqueue("bad")).result(timeout_secs=10)
        assert await (await say.enqueue("good")).result(timeout_secs=10) == "good"
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as psql:
            await psql.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where pid <> pg_backend_pid() and datname = current_database()"
                " and application_name = 'cuckmq'"
            )
        ((worker_id, beaten_at),) = await heartbeats()
        await eventually(lambda: has_beaten_since(beaten_at), why="the heart beats again")
        assert await (await say.enqueue("good")).result(timeout_secs=20) == "good"
        assert [each for each, _ in await heartbeats()] == [worker_id]
