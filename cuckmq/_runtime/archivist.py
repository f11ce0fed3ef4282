"""The duty of the archivist: delete statistics that nobody wants any more."""

from __future__ import annotations

from typing import Final

from cuckmq.context import Context
from cuckmq.protocol.stat import purge_stats

ARCHIVIST_SECS: Final = 600.0


class Archivist:
    """Deletes what is older than the context says.

    Args:
        context: whose statistics.
    """

    name = "archivist"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def turn(self) -> float:
        """Delete what is old."""
        await self._context.database.run(purge_stats(older_than_secs=self._context.stat_delete_secs))
        return ARCHIVIST_SECS

    def trouble(self) -> None:
        """Nothing is believed from one turn to the next."""
