"""Lend a connection of a pool to one who may be cancelled at any moment.

psycopg's pool loses a connection for good when the task that waits for it is cancelled in the very moment
when it is given one; requests that are dropped under load (a browser that left, a time limit) take one after
the other, until nobody gets any. So a task of its own does the waiting, and is never cancelled: for who
gave up, what arrives is put back. The same for giving back, which a second cancellation would break off.
Mostly there is nothing to wait for; then no task is made and no turn of the event loop is taken (see eager),
and who asks again at once does not even go to the pool (see spare).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from cuckmq.database.eager import Done, Work, begin, outcome
from cuckmq.database.spare import Lent, Spare

Wash: TypeAlias = Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]

REST_SECS: Final = 5.0
"""How long a pool that closes waits for what goes on; as long as it waits for its own tasks."""

_under_way: Final[dict[asyncio.Future[None], AsyncConnectionPool[Any]]] = {}
"""What goes on for those who gave up. The event loop alone would forget these tasks."""


class Loan:
    """A connection for the time of an `async with`. What it did is committed at the end, or rolled back.

    Args:
        find_pool: tells whose connection.
        is_spoilt_by: errors after which nobody is to have this connection any more.
        spare: what is at hand.
        is_own: whether it is for statements of the queue's own, which leave nothing on the session; only
            these take and leave a connection at hand.
        wash: takes off what was left on the session, before the connection is put back.
    """

    __slots__ = ("_find_pool", "_is_own", "_is_spoilt_by", "_lent", "_spare", "_wash")

    def __init__(
        self,
        find_pool: Callable[[], Awaitable[AsyncConnectionPool[Any]]],
        is_spoilt_by: tuple[type[Exception], ...],
        *,
        spare: Spare,
        is_own: bool,
        wash: Wash | None = None,
    ) -> None:
        self._find_pool = find_pool
        self._is_spoilt_by = is_spoilt_by
        self._spare = spare
        self._is_own = is_own
        self._wash = wash

    async def __aenter__(self) -> psycopg.AsyncConnection[Any]:
        pool = await self._find_pool()
        lent = self._spare.take(pool) if self._is_own else None
        if lent is None:
            self._spare.rest()  # It may be just what the pool lacks.
            getting = begin(pool.getconn())
            self._spare.num_waiting += 1
            try:
                lent = Lent(pool, await outcome(getting), time.monotonic())
            except asyncio.CancelledError:
                _go_on(pool, _put_back_when_there(pool, getting))
                raise
            finally:
                self._spare.num_waiting -= 1
        self._lent = lent
        return lent.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._is_own and self._spare.keep(self._lent):
            return
        pool, connection, _ = self._lent
        try:
            if isinstance(error, self._is_spoilt_by):
                await connection.close()
            elif connection.pgconn.transaction_status != TransactionStatus.IDLE:
                await connection.__aexit__(kind, error, trace)
        finally:
            going = _go_on(pool, _put_back(pool, connection, self._wash))
            # Who is cancelled may be so with all else that runs, the pool's own tasks too: it waits for none.
            if not isinstance(error, asyncio.CancelledError):
                await outcome(going)


def give_back(lent: Lent) -> None:
    """Give a connection back to its pool, in the background."""
    _go_on(lent.pool, _put_back(lent.pool, lent.connection))


async def come_to_rest(pool: AsyncConnectionPool[Any]) -> None:
    """Wait for what goes on for those who gave up on a pool that is closed now.

    It ends within a few turns of the event loop. A loop that ended before it would tell of each as an error.
    """
    going = [each for each, of_pool in _under_way.items() if of_pool is pool]
    if going:
        await asyncio.wait(going, timeout=REST_SECS)


def _go_on(pool: AsyncConnectionPool[Any], work: Coroutine[Any, Any, None]) -> Work[None]:
    going = begin(work)
    if not isinstance(going, Done) and not going.done():
        _under_way[going] = pool
        going.add_done_callback(_under_way.pop)
    return going


async def _put_back(
    pool: AsyncConnectionPool[Any], connection: psycopg.AsyncConnection[Any], wash: Wash | None = None
) -> None:
    try:
        if wash is not None:
            await wash(connection)
    finally:
        await pool.putconn(connection)


async def _put_back_when_there(
    pool: AsyncConnectionPool[Any], getting: Work[psycopg.AsyncConnection[Any]]
) -> None:
    try:
        connection = await outcome(getting)
    except psycopg.Error:
        return  # Nobody waits for it any more, and there is nothing to put back.
    await _put_back(pool, connection)
