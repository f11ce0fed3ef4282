"""Renew what lies in a pool since before a silence.

A connection of the pool has given no answer, and was cut. The others came the same way, and who goes through
them one after the other waits for each. So what is older than that is refused when it is lent the next time,
and the pool makes another. What users hold at that moment is theirs until they give it back.
"""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakKeyDictionary

import psycopg

from cuckmq.database.connect import check, configure


class Renewal:
    """Prepares and checks the connections of one pool."""

    def __init__(self) -> None:
        self._opened_at: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._doubted_at: float | None = None

    def doubt(self) -> None:
        """What is there now is not to be trusted."""
        self._doubted_at = time.monotonic()

    async def configure(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Prepare a new connection."""
        await configure(connection)
        self._opened_at[connection] = time.monotonic()

    async def check(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Refuse one that is closed, or in doubt."""
        if self._doubted_at is not None and self._opened_at[connection] <= self._doubted_at:
            await connection.close()
            raise psycopg.OperationalError("this connection is as old as one that fell silent")
        await check(connection)
