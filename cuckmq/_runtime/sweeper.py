"""The duty to sweep: end or open jobs that nobody else comes by. Workers share it: see company.py."""

from __future__ import annotations

import random
from typing import Final

from cuckmq._runtime.company import Company
from cuckmq.context import Context
from cuckmq.ended import tell_ended
from cuckmq.protocol.sweep import sweep
from cuckmq.state import FailureReason, JobState

SWEEP_SECS: Final = 1.0
MAX_SHARE: Final = 30
BATCH_SIZE: Final = 1000
BATCH_PAUSE_SECS: Final = 0.05
THOROUGH_SHARE: Final = 1 / 60


class Sweeper:
    """Looks for jobs that expired, and for blocked ones that wait for nobody any more.

    It does so once a second, if it is alone. That is two probes of indexes when there are none. About once
    a minute all blocked jobs are looked at.

    Args:
        context: whose queue.
        company: who else sweeps.
    """

    name = "sweep"

    def __init__(self, context: Context, company: Company) -> None:
        self._context = context
        self._company = company

    async def turn(self) -> float:
        """Sweep one batch."""
        is_thorough = random.random() < THOROUGH_SHARE  # noqa: S311 - so that workers take turns
        swept = await self._context.database.run(sweep(BATCH_SIZE, is_thorough=is_thorough))
        for job in swept:
            state = JobState(job.state)
            reason = FailureReason(job.reason) if state is JobState.FAILED else None
            tell_ended(self._context.events, job.job_id, job.definition, state, reason=reason)
        if len(swept) >= BATCH_SIZE:
            return BATCH_PAUSE_SECS
        return self._company.share(SWEEP_SECS, at_most=MAX_SHARE)

    def trouble(self) -> None:
        """Nothing is believed from one look to the next."""
