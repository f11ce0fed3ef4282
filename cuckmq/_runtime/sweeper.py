"""The duty to sweep: end or open jobs that nobody else comes by."""

from __future__ import annotations

import random
from typing import Final

from cuckmq.context import Context
from cuckmq.ended import tell_ended
from cuckmq.protocol.sweep import sweep
from cuckmq.state import FailureReason, JobState

SWEEP_SECS: Final = 1.0
BATCH_SIZE: Final = 1000
BATCH_PAUSE_SECS: Final = 0.05
THOROUGH_SHARE: Final = 1 / 60


class Sweeper:
    """Looks once a second for jobs that expired, and for blocked ones that wait for nobody any more.

    That is two probes of indexes when there are none. About once a minute all blocked jobs are looked at.

    Args:
        context: whose queue.
    """

    name = "sweep"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def turn(self) -> float:
        """Sweep one batch."""
        is_thorough = random.random() < THOROUGH_SHARE  # noqa: S311 - so that workers take turns
        swept = await self._context.database.run(sweep(BATCH_SIZE, is_thorough=is_thorough))
        for job in swept:
            state = JobState(job.state)
            reason = FailureReason(job.reason) if state is JobState.FAILED else None
            tell_ended(self._context.events, job.job_id, job.definition, state, reason=reason)
        return BATCH_PAUSE_SECS if len(swept) >= BATCH_SIZE else SWEEP_SECS

    def trouble(self) -> None:
        """Nothing is believed from one look to the next."""
