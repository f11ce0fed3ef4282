"""The duty to tick: enqueue repeating jobs when they are due."""

from __future__ import annotations

import logging

from cuckmq.context import Context
from cuckmq.events import ScheduleOrphaned, ScheduleTicked
from cuckmq.protocol.tick import tick

_logger = logging.getLogger("cuckmq.ticker")


class Ticker:
    """Ticks when the next slot is due, and looks for new schedules now and then.

    Args:
        context: whose definitions repeat.
        poll_secs: how often to look when nothing is due sooner.
    """

    name = "tick"

    def __init__(self, context: Context, *, poll_secs: float) -> None:
        self._context = context
        self._poll_secs = poll_secs
        self._orphans: set[str] = set()

    async def turn(self) -> float:
        """Enqueue what is due."""
        await self._context.recognize()
        next_secs = self._poll_secs
        for ticked in await self._context.database.run(tick(list(self._context.known))):
            if ticked.name is None:
                next_secs = self._poll_secs if ticked.secs is None else max(ticked.secs, 0.0)
            elif ticked.job_id is None:
                if ticked.name not in self._orphans:
                    _logger.warning(
                        "job %r is due to repeat, and its definition is not known here", ticked.name
                    )
                self._orphans.add(ticked.name)
                self._context.events.tell(ScheduleOrphaned(name=ticked.name, slot_at=ticked.slot_at))
            else:
                self._orphans.discard(ticked.name)
                self._context.events.tell(
                    ScheduleTicked(name=ticked.name, job_id=ticked.job_id, slot_at=ticked.slot_at)
                )
        return min(next_secs, self._poll_secs)

    def trouble(self) -> None:
        """Nothing is believed from one tick to the next."""
