"""Lend a connection of a pool to one who may be cancelled at any moment.

psycopg's pool loses a connection for good when the task that waits for it is cancelled in the very moment
when it is given one; requests that are dropped under load (a browser that left, a time limit) take one after
the other, until nobody gets any. So a task of its own does the waiting, and is never cancelled: for who
gave up, what arrives is put back. The same for giving back, which a second cancellation would break off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import psycopg
from psycopg_pool import AsyncConnectionPool

Wash: TypeAlias = Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]

_under_way: Final[set[asyncio.Task[None]]] = set()
"""What goes on for those who gave up. The event loop alone would forget these tasks."""


@asynccontextmanager
async def lend(
    pool: AsyncConnectionPool[Any], wash: Wash | None = None
) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
    """Do what pool.connection() does, and lose nothing; what comes back is washed before it is put back."""
    getting = asyncio.create_task(pool.getconn())
    try:
        connection = await asyncio.shield(getting)
    except asyncio.CancelledError:
        _go_on(_put_back(pool, getting))
        raise
    try:
        async with connection:
            yield connection
    finally:
        await asyncio.shield(_go_on(_put_back(pool, getting, wash)))


def _go_on(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task


async def _put_back(
    pool: AsyncConnectionPool[Any], getting: asyncio.Task[Any], wash: Wash | None = None
) -> None:
    try:
        connection = await getting
    except psycopg.Error:
        return  # Nobody waits for it any more, and there is nothing to put back.
    try:
        if wash is not None:
            await wash(connection)
    finally:
        await pool.putconn(connection)
