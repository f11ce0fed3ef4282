"""Lend a connection of a pool to one who may be cancelled at any moment.

psycopg's pool loses a connection for good when the task that waits for it is cancelled in the very moment
when it is given one; requests that are dropped under load (a browser that left, a time limit) take one after
the other, until nobody gets any. So a task of its own does the waiting, and is never cancelled: for who
gave up, what arrives is put back. The same for giving back, which a second cancellation would break off.
Mostly there is nothing to wait for; then no task is made and no turn of the event loop is taken (see eager).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from cuckmq.database.eager import begin

Wash: TypeAlias = Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]

_under_way: Final[set[asyncio.Future[None]]] = set()
"""What goes on for those who gave up. The event loop alone would forget these tasks."""


class Loan:
    """A connection for the time of an `async with`. What it did is committed at the end, or rolled back.

    Args:
        find_pool: tells whose connection.
        is_spoilt_by: errors after which nobody is to have this connection any more.
        wash: takes off what was left on the session, before the connection is put back.
    """

    __slots__ = ("_connection", "_find_pool", "_getting", "_is_spoilt_by", "_pool", "_wash")

    def __init__(
        self,
        find_pool: Callable[[], Awaitable[AsyncConnectionPool[Any]]],
        is_spoilt_by: tuple[type[Exception], ...] = (),
        wash: Wash | None = None,
    ) -> None:
        self._find_pool = find_pool
        self._is_spoilt_by = is_spoilt_by
        self._wash = wash

    async def __aenter__(self) -> psycopg.AsyncConnection[Any]:
        self._pool = await self._find_pool()
        self._getting = begin(self._pool.getconn())
        try:
            self._connection: psycopg.AsyncConnection[Any] = await asyncio.shield(self._getting)
        except asyncio.CancelledError:
            _go_on(_put_back(self._pool, self._getting))
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self._connection
        try:
            if isinstance(error, self._is_spoilt_by):
                await connection.close()
            elif connection.pgconn.transaction_status != TransactionStatus.IDLE:
                await connection.__aexit__(kind, error, trace)
        finally:
            going = _go_on(_put_back(self._pool, self._getting, self._wash))
            # Who is cancelled may be so with all else that runs, the pool's own tasks too: it waits for none.
            if not isinstance(error, asyncio.CancelledError):
                await asyncio.shield(going)


def _go_on(work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
    going = begin(work)
    if not going.done():
        _under_way.add(going)
        going.add_done_callback(_under_way.discard)
    return going


async def _put_back(
    pool: AsyncConnectionPool[Any], getting: asyncio.Future[Any], wash: Wash | None = None
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
