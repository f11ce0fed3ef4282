"""Keep a connection at hand for who asks again.

To go through the pool for each statement, which checks the connection as well, took a sixth of the client's
time of an enqueue; after a pause, when all that code has left the processor's caches, it is 0.1 ms of 0.4. So
what a statement of the queue's own leaves is kept, and goes to whoever asks next. It is also the one
connection that stays when nothing goes on: the pool closes what lies there for some seconds, as after a
restart of the server it may hold ten that a moment's need has left. Nobody is to notice:

- Those who come to the pool find there what was at hand: it is given back before they ask. While one of them
  waits, nothing is kept.
- Of a pool that was given others may ask whom we know nothing of. There a connection is kept for the rest of
  the event loop's turn, for one who puts in job after job, and for some milliseconds in all.
- What has rested is looked at before it is used again, as the pool would have done.
- The pool sees each of its connections again after some minutes, and ends those that have lived long enough.

It is one connection at a time, so that all but one of those who work side by side share the pool as ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from cuckmq.database.connect import has_something_to_read

REST_SECS: Final = 600.0
"""How long a connection stays at hand while nobody asks."""
KEEP_SECS: Final = 600.0
"""How long it may pass from one to the next before the pool sees it again."""
KEEP_GIVEN_SECS: Final = 0.01
"""The same, of a pool that was given."""


class Lent(NamedTuple):
    """A connection of a pool, and when it came from there by the monotonic clock."""

    pool: AsyncConnectionPool[Any]
    connection: psycopg.AsyncConnection[Any]
    since: float


class Spare:
    """Holds one connection at most.

    Args:
        give_back: gives it back to its pool.
        is_given: whether the pool was given, so that others may wait for it as well.

    Attributes:
        num_waiting: how many wait at the pool.
    """

    def __init__(self, give_back: Callable[[Lent], object], *, is_given: bool) -> None:
        self._give_back = give_back
        self._is_given = is_given
        self._lent: Lent | None = None
        self._kept_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None  # on which there will be a look
        self.num_waiting = 0

    def take(self, pool: AsyncConnectionPool[Any]) -> Lent | None:
        """Take what is at hand, if it is of this pool, and sound."""
        lent = self._lent
        if lent is None or lent.pool is not pool:
            return None
        has_rested = time.monotonic() - self._kept_at > KEEP_GIVEN_SECS
        if has_rested and has_something_to_read(lent.connection):
            return None  # It has most likely ended. The pool will see to it.
        self._lent = None
        return lent

    def keep(self, lent: Lent) -> bool:
        """Keep a connection at hand, if it is at rest and there is no other. Else it is to be given back."""
        now = time.monotonic()
        if (
            self._lent is not None
            or self.num_waiting
            or now - lent.since > (KEEP_GIVEN_SECS if self._is_given else KEEP_SECS)
            or lent.connection.pgconn.transaction_status != TransactionStatus.IDLE
        ):
            return False
        self._lent, self._kept_at = lent, now
        if self._loop is not asyncio.get_running_loop():
            self._look_in(0.0 if self._is_given else REST_SECS)
        return True

    def rest(self) -> None:
        """Give back what is at hand."""
        lent, self._lent = self._lent, None
        if lent is not None:
            self._give_back(lent)

    def forget(self) -> None:
        """Let go of what is at hand: it is of an event loop that has ended."""
        self._lent = self._loop = None

    def _look_in(self, secs: float) -> None:
        self._loop = loop = asyncio.get_running_loop()
        loop.call_later(secs, self._look)

    def _look(self) -> None:
        self._loop = None
        left_secs = 0.0 if self._is_given else self._kept_at + REST_SECS - time.monotonic()
        if self._lent is not None and left_secs > 0:
            self._look_in(left_secs)
        else:
            self.rest()
