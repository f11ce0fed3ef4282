"""Keep a connection at hand for a moment, for who asks again at once.

One who puts in job after job asks for a connection in the very turn of the event loop in which the last was
given back. To go through the pool each time, which checks the connection as well, took a sixth of the
client's time of an enqueue. So what a statement of the queue's own leaves is kept until the loop's next turn,
and goes to whoever asks before it; then it is given back.

Those who wait at the pool are not passed over for long: some milliseconds after it came from there a
connection goes back, whoever might want it. It is one at a time, so that all but one of those who work side
by side share the pool as ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

KEEP_SECS: Final = 0.01
"""How long a connection may pass from one to the next before the pool sees it again."""


class Lent(NamedTuple):
    """A connection of a pool, and when it came from there by the monotonic clock."""

    pool: AsyncConnectionPool[Any]
    connection: psycopg.AsyncConnection[Any]
    since: float


class Spare:
    """Holds one connection at most, for less than a turn of the event loop.

    Args:
        give_back: gives it back to its pool.
    """

    def __init__(self, give_back: Callable[[Lent], object]) -> None:
        self._give_back = give_back
        self._lent: Lent | None = None

    def take(self, pool: AsyncConnectionPool[Any]) -> Lent | None:
        """Take what is at hand, if it is of this pool."""
        lent = self._lent
        if lent is None or lent.pool is not pool:
            return None
        self._lent = None
        return lent

    def keep(self, lent: Lent) -> bool:
        """Keep a connection at hand, if it is at rest and there is no other. Else it is to be given back."""
        if (
            self._lent is not None
            or time.monotonic() - lent.since > KEEP_SECS
            or lent.connection.pgconn.transaction_status != TransactionStatus.IDLE
        ):
            return False
        self._lent = lent
        asyncio.get_running_loop().call_soon(self.rest)
        return True

    def rest(self) -> None:
        """Give back what is at hand."""
        lent, self._lent = self._lent, None
        if lent is not None:
            self._give_back(lent)
