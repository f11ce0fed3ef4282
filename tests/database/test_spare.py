"""A connection that is kept at hand: it spares the way to the pool, and keeps nobody waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from cuckmq import Context
from cuckmq.database import database, spare
from cuckmq.protocol.statement import Statement, only
from tests.support.eventually import eventually

PID: Statement[int] = Statement("select pg_backend_pid()", (), only)


async def own_pid(context: Context) -> int:
    return (await context.database.run(PID))[0]


async def users_pid(context: Context) -> int:
    async with context.database.connection() as connection:
        return connection.info.backend_pid


@asynccontextmanager
async def pooled(dsn: str) -> AsyncGenerator[tuple[AsyncConnectionPool[Any], Context]]:
    """A context with a pool that has one connection, and room for another."""
    pool = AsyncConnectionPool[Any](dsn, kwargs={"autocommit": True}, min_size=1, max_size=2, open=False)
    async with pool, Context(pool) as context:
        await pool.wait()
        yield pool, context


async def test_who_asks_again_at_once_does_not_go_to_the_pool(dsn: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spare, "KEEP_GIVEN_SECS", 60.0)
    async with pooled(dsn) as (pool, context):
        before = pool.get_stats().get("requests_num", 0)
        pids = {await own_pid(context) for _ in range(20)}
        assert (len(pids), pool.get_stats().get("requests_num", 0) - before) == (1, 1)
        # In the next turn of the loop it is back.
        await eventually(lambda: pool.get_stats()["pool_available"] == 1, why="it was given back")


async def test_who_asks_after_a_pause_does_not_go_to_the_pool_either(dsn: str):
    async with Context(dsn) as context:
        pid = await own_pid(context)
        pool = await context.database._open()
        before = pool.get_stats().get("requests_num", 0)
        for _ in range(5):
            await asyncio.sleep(0.03)
            assert await own_pid(context) == pid
        assert pool.get_stats().get("requests_num", 0) == before


async def test_what_nobody_asks_for_goes_back(dsn: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spare, "REST_SECS", 0.05)
    async with Context(dsn) as context:
        pid = await own_pid(context)
        pool = await context.database._open()
        assert pool.get_stats()["pool_available"] == 0
        await eventually(lambda: pool.get_stats()["pool_available"] == 1, why="it was given back")
        assert await own_pid(context) == pid


async def test_what_a_moment_has_needed_is_closed_but_one(dsn: str, monkeypatch: pytest.MonkeyPatch):
    """After a restart of the server, for example, when all who wait come at once."""
    monkeypatch.setattr(database, "MAX_IDLE_SECS", 0.2)
    sleep: Statement[int] = Statement("select pg_sleep(0.2), pg_backend_pid()", (), lambda row: row[1])
    async with Context(dsn) as context:
        pids = await asyncio.gather(*(context.database.run(sleep) for _ in range(5)))
        assert len({pid for (pid,) in pids}) > 1
        pool = await context.database._open()
        await eventually(lambda: pool.get_stats()["pool_size"] == 1, why="the others were closed")
        await asyncio.sleep(0.5)
        assert pool.get_stats()["pool_size"] == 1
        assert await own_pid(context) in {pid for (pid,) in pids}


async def test_the_pool_sees_a_connection_again_that_is_used_all_the_time(
    dsn: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(spare, "KEEP_SECS", 0.05)
    async with Context(dsn) as context:
        await own_pid(context)
        pool = await context.database._open()
        before = pool.get_stats().get("requests_num", 0)

        async def is_asked_again() -> bool:
            await own_pid(context)
            return pool.get_stats().get("requests_num", 0) > before

        await eventually(is_asked_again, why="the pool was asked")


async def test_what_ended_while_it_rested_is_not_used(dsn: str):
    async with Context(dsn) as context:
        pid = await own_pid(context)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
            await other.execute("select pg_terminate_backend(%s, 1000)", (pid,))
        await asyncio.sleep(0.05)
        assert await own_pid(context) != pid


def test_what_another_event_loop_left_is_forgotten(dsn: str):
    context = Context(dsn)
    first = asyncio.run(own_pid(context))

    async def ask_again_and_close() -> int:
        pid = await own_pid(context)
        await context.close()
        return pid

    assert asyncio.run(ask_again_and_close()) != first


async def test_what_is_at_hand_does_not_pass_over_those_who_wait(dsn: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "MAX_POOL_SIZE", 1)
    async with Context(dsn) as context:
        is_over = False

        async def ask_again_and_again() -> None:
            while not is_over:
                await own_pid(context)

        asking = asyncio.create_task(ask_again_and_again())
        await own_pid(context)
        await asyncio.wait_for(users_pid(context), 10)
        is_over = True
        await asking


async def test_users_get_what_is_at_hand_by_way_of_the_pool(dsn: str):
    async with pooled(dsn) as (pool, context):
        assert await own_pid(context) == await users_pid(context)
        assert pool.get_stats()["pool_size"] == 1


async def test_a_connection_that_failed_is_not_kept(dsn: str):
    async with Context(dsn) as context:
        first = await own_pid(context)
        with pytest.raises(psycopg.OperationalError):
            await context.database.run(
                Statement("select pg_terminate_backend(pg_backend_pid(), 1000)", (), only)
            )
        assert await own_pid(context) != first


async def test_one_who_is_cancelled_leaves_no_connection_behind(dsn: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "MAX_POOL_SIZE", 1)
    async with Context(dsn) as context:
        await own_pid(context)
        for num_turns in range(6):
            asking = asyncio.create_task(context.database.run(PID))
            for _ in range(num_turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            await asyncio.wait_for(own_pid(context), 10)


async def test_closing_gives_back_what_is_at_hand(dsn: str):
    context = Context(dsn)
    pid = await own_pid(context)
    await context.close()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:

        async def is_gone() -> bool:
            cursor = await other.execute("select 1 from pg_stat_activity where pid = %s", (pid,))
            return await cursor.fetchone() is None

        await eventually(is_gone, why="the session has ended")
