"""The duty to purge: delete jobs that ended long ago."""

from __future__ import annotations

from typing import Final

from cuckmq.context import Context
from cuckmq.events import JobDeleted
from cuckmq.protocol.purge import purge

BATCH_SIZE: Final = 1000
BATCH_PAUSE_SECS: Final = 0.05


class Purger:
    """Purges in batches, resting a little between them so that others get on.

    Args:
        context: whose history.
        poll_secs: how often to look when nothing is left to delete.
    """

    name = "purge"

    def __init__(self, context: Context, *, poll_secs: float) -> None:
        self._context = context
        self._poll_secs = poll_secs

    async def turn(self) -> float:
        """Delete one batch."""
        older_than_secs = self._context.job_post_finalize_delete_secs
        deleted = await self._context.database.run(purge(older_than_secs=older_than_secs, limit=BATCH_SIZE))
        for job_id in deleted if self._context.events.is_heard else ():
            self._context.events.tell(JobDeleted(job_id=job_id))
        return BATCH_PAUSE_SECS if len(deleted) >= BATCH_SIZE else self._poll_secs

    def trouble(self) -> None:
        """Nothing is believed from one purge to the next."""
