"""The duty of the clerk: write down what a worker has counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from cuckmq._runtime.tally import Tally
from cuckmq.context import Context
from cuckmq.database.fuse import last_words
from cuckmq.errors import CuckmqError
from cuckmq.log import get_log
from cuckmq.protocol.stat import record_stats

_logger = get_log("cuckmq.worker")

CLERK_SECS: Final = 5.0


class Clerk:
    """Writes every few seconds, if there is anything to write. What could not be written is lost.

    Args:
        context: whose queue.
        tally: what was counted.
    """

    name = "clerk"

    def __init__(self, context: Context, tally: Tally) -> None:
        self._context = context
        self._tally = tally
        self._has_asked = False

    async def turn(self) -> float:
        """Write what there is; the first time at least learn what time it is over there."""
        tallies = self._tally.take()
        if tallies is not None or not self._has_asked:
            (there,) = await self._context.database.run(record_stats(tallies or "[]"))
            self._tally.skew = there - datetime.now(UTC)
            self._has_asked = True
        return CLERK_SECS

    async def finish(self, timeout_secs: float) -> None:
        """Write what is left, when the worker stops; or let it be, if that does not go well in time."""
        if self._tally.is_empty:
            return
        try:
            async with last_words(timeout_secs):
                await self.turn()
        except (psycopg.Error, PoolTimeout, TimeoutError, OSError, CuckmqError) as error:
            _logger.info("the last statistics were not written: %s", error)

    def trouble(self) -> None:
        """Nothing is believed of the database but its clock."""
