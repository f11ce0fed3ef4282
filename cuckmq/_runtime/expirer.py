"""The duty to expire: fail jobs that nobody has started in time."""

from __future__ import annotations

from typing import Final

from cuckmq.context import Context
from cuckmq.ended import tell_ended
from cuckmq.protocol.expire import expire
from cuckmq.state import FailureReason, JobState

EXPIRE_SECS: Final = 1.0
BATCH_SIZE: Final = 1000
BATCH_PAUSE_SECS: Final = 0.05


class Expirer:
    """Looks once a second, which is one probe of an index when no job bears a time.

    Args:
        context: whose queue.
    """

    name = "expire"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def turn(self) -> float:
        """Fail one batch."""
        expired = await self._context.database.run(expire(BATCH_SIZE))
        for job in expired:
            tell_ended(
                self._context.events,
                job.job_id,
                job.definition,
                JobState.FAILED,
                reason=FailureReason.EXPIRED,
            )
        return BATCH_PAUSE_SECS if len(expired) == BATCH_SIZE else EXPIRE_SECS

    def trouble(self) -> None:
        """Nothing is believed from one look to the next."""
