"""The duty to tick: enqueue repeating jobs when they are due."""

from __future__ import annotations

from typing import Final

from cuckmq.context import Context
from cuckmq.errors import ConfigurationError
from cuckmq.events import ScheduleOrphaned, ScheduleTicked
from cuckmq.log import get_log
from cuckmq.protocol.tick import Due, find_due, find_next, tick
from cuckmq.recurrence import Recurrence

_logger = get_log("cuckmq.ticker")

MIN_PAUSE_SECS: Final = 0.01


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
        known = list(self._context.known)
        beyond_us: list[str] = []
        for due in await self._context.database.run(find_due(known)):
            if not due.is_known:
                self._tell_orphan(due)
            elif not await self._serve(due):
                beyond_us.append(due.name)
        (next_secs,) = await self._context.database.run(find_next(known, beyond_us))
        if next_secs is None:
            return self._poll_secs
        # What is due still came this moment, or is in the hands of another.
        return min(max(next_secs, MIN_PAUSE_SECS), self._poll_secs)

    async def _serve(self, due: Due) -> bool:
        """Serve the slots of one schedule. Tells whether this host can."""
        self._orphans.discard(due.name)
        try:
            slots, next_at = Recurrence(due.repeat_secs, due.cron, due.timezone).due(
                due.due_at, due.now, due.missed
            )
        except ConfigurationError as error:
            _logger.error("schedule %r cannot be served here: %s", due.name, error)  # noqa: TRY400 - it says all
            return False
        for ticked in await self._context.database.run(tick(due.name, due.due_at, slots, next_at)):
            if ticked.job_id is not None:
                self._context.events.tell(
                    ScheduleTicked(name=due.name, job_id=ticked.job_id, slot_at=ticked.slot_at)
                )
        return True

    def _tell_orphan(self, due: Due) -> None:
        if due.name not in self._orphans:
            _logger.warning("job %r is due to repeat, and its definition is not known here", due.name)
        self._orphans.add(due.name)
        self._context.events.tell(ScheduleOrphaned(name=due.name, slot_at=due.due_at))

    def trouble(self) -> None:
        """Nothing is believed from one tick to the next."""
