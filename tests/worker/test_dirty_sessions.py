"""What a work function leaves on the session it was lent, the next who is lent it does not find."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row, tuple_row
from psycopg_pool import AsyncConnectionPool

from cuckmq import Attempt, Context, Worker
from cuckmq.database.database import MAX_POOL_SIZE
from tests.support.eventually import eventually

LOOK = """
select current_user, session_user, current_setting('search_path'), current_setting('work_mem'),
    current_setting('default_transaction_isolation'), current_setting('client_connection_check_interval'),
    (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
    (select count(*) from pg_listening_channels()),
    (select count(*) from pg_class where relpersistence = 't' and pg_table_is_visible(oid)),
    (select count(*) from pg_cursors)
"""

DIRT = {
    "role": "set role {role}",
    "session authorization": "set session authorization {role}",
    "path": "set search_path = 'evil'",
    "settings": "set work_mem = '66kB'; set default_transaction_isolation = 'serializable'",
    "lock": "select pg_advisory_lock(4711); select pg_advisory_lock_shared(4712)",
    "channel": "listen anything",
    "table": "create temp table job (id bigint)",
    "cursor": "declare held cursor with hold for select 1",
    "ours": "set client_connection_check_interval = 0",
}


@pytest.fixture
async def role(context: Context) -> AsyncIterator[str]:
    """A role that may do nothing with the queue."""
    async with context.database.connection() as connection:
        await connection.execute(f"create role {context.schema}_nobody".encode())
    yield f"{context.schema}_nobody"
    async with context.database.connection() as connection:
        await connection.execute(f"drop role {context.schema}_nobody".encode())


async def look(connection: psycopg.AsyncConnection[Any]) -> tuple[Any, ...]:
    async with psycopg.AsyncCursor(connection) as cursor:
        await cursor.execute(LOOK)
        found: tuple[Any, ...] = (await cursor.fetchall())[0]
        return found


async def look_at_all(context: Context) -> dict[int, tuple[Any, ...]]:
    """What each session of the pool looks like, by its process."""
    async with AsyncExitStack() as stack:
        lent = [await stack.enter_async_context(context.database.connection()) for _ in range(MAX_POOL_SIZE)]
        assert {connection.row_factory for connection in lent} == {tuple_row}
        return {connection.info.backend_pid: await look(connection) for connection in lent}


@pytest.mark.parametrize("way", ["return", "raise"])
@pytest.mark.parametrize("kind", DIRT)
@pytest.mark.fault("G9")
async def test_the_next_finds_a_session_as_new(context: Context, role: str, kind: str, way: str):
    """M3: role, settings, locks, channels, tables and cursors; whether the job succeeds or fails."""
    used: list[int] = []

    @context.job(name="dirty")
    async def dirty(payload: None, attempt: Attempt) -> None:
        async with attempt.transaction() as connection:
            used.append(connection.info.backend_pid)
            connection.row_factory = dict_row
            await connection.execute(DIRT[kind].format(role=role).encode(), prepare=False)
            if way == "raise":
                raise ValueError

    await context.deploy()
    before = await look_at_all(context)
    async with Worker(context, concurrency=1) as worker:
        await dirty.enqueue(None)
        await eventually(lambda: used)
        await worker.wait_until_idle()
        after = await look_at_all(context)
    assert after[used[0]] == before[used[0]], "the same session, and as it was"


async def test_users_find_a_session_as_new(context: Context, role: str):
    """M3: those too who borrow from the context, as for an enqueue in a transaction of theirs."""
    async with context.database.connection() as connection:
        before = await look(connection)
        for dirt in DIRT.values():
            if "authorization" not in dirt:
                await connection.execute(dirt.format(role=role).encode())
                await connection.execute("reset role")
        await connection.execute(f"set role {role}".encode())
    async with context.database.connection() as connection:
        assert await look(connection) == before


async def test_what_cannot_be_washed_is_closed(context: Context):
    """M3: a session in the middle of something goes to nobody."""
    async with context.database.connection() as connection:
        await connection.execute("begin; select pg_advisory_lock(4711)")
    async with context.database.connection() as connection:
        cursor = await connection.execute("select count(*) from pg_locks where objid = 4711")
        assert await cursor.fetchone() == (0,)


async def test_a_given_pool_is_its_owners(context: Context):
    """What they set on its sessions stays."""

    async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("set work_mem = '77kB'")

    async with AsyncConnectionPool(
        context.database.dsn, min_size=1, max_size=1, kwargs={"autocommit": True}, configure=configure
    ) as pool:
        guest = Context(pool, schema=context.schema)
        for _ in range(2):
            async with guest.database.connection() as connection:
                cursor = await connection.execute("show work_mem")
                assert await cursor.fetchone() == ("77kB",)
