"""The duty to rescue: find dead workers, and put their jobs back. Workers share it: see company.py."""

from __future__ import annotations

import time
from typing import Final

from cuckmq._runtime.company import Company
from cuckmq.context import Context
from cuckmq.protocol.inspect import find_version
from cuckmq.protocol.workers import rescue
from cuckmq.rescued import tell_found

RESCUE_SECS: Final = 1.0
MAX_SHARE: Final = 30
NUM_EAGER: Final = 3


class Rescuer:
    """Rescues, once a second if it is alone, unless it has reason to doubt its own view.

    Who could not reach the database cannot tell a worker that is dead from one that could not reach
    it either. So after trouble of its own it gives everyone the time of a lease to beat again.

    Args:
        context: whose queue.
        beat_secs: how often workers beat.
        lease_secs: how long to wait after trouble.
        company: who else rescues.
    """

    name = "rescue"

    def __init__(self, context: Context, *, beat_secs: float, lease_secs: float, company: Company) -> None:
        self._context = context
        self._beat_secs = beat_secs
        self._lease_secs = lease_secs
        self._company = company
        self._trusts_from = float("-inf")

    async def turn(self) -> float:
        """Rescue what there is to rescue."""
        if time.monotonic() < self._trusts_from:
            await self._context.database.run(find_version())
            return RESCUE_SECS
        found = await self._context.database.run(
            rescue(job_group_unlock_secs=self._context.job_group_unlock_secs, beat_secs=self._beat_secs)
        )
        tell_found(self._context.events, found)
        return self._company.share(RESCUE_SECS, at_most=MAX_SHARE, num_eager=NUM_EAGER)

    def trouble(self) -> None:
        """Trust nothing for the time of a lease."""
        self._trusts_from = time.monotonic() + self._lease_secs
