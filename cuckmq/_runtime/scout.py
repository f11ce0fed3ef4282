"""The duty to scout: learn which definitions were deployed elsewhere, and report orphans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cuckmq._runtime.company import Company
from cuckmq.context import Context
from cuckmq.events import JobOrphaned
from cuckmq.log import get_log
from cuckmq.protocol.inspect import find_orphans

_logger = get_log("cuckmq.scout")

SCOUT_SECS: Final = 3.0
MAX_SHARE: Final = 20
MAX_REMEMBERED: Final = 10_000


class Scout:
    """Scouts the channels of a worker, and tells of each orphan once.

    Args:
        context: whose definitions are known.
        channel_ids: the channels to look at; None for all. Asked each time.
        company: who else looks.
    """

    name = "scout"

    def __init__(
        self, context: Context, channel_ids: Callable[[], list[int] | None], company: Company
    ) -> None:
        self._context = context
        self._channel_ids = channel_ids
        self._company = company
        self._told: set[int] = set()

    async def turn(self) -> float:
        """Learn and look."""
        await self._context.recognize()
        known = list(self._context.known)
        orphans = await self._context.database.run(find_orphans(self._channel_ids(), known))
        new = [orphan for orphan in orphans if orphan.job_id not in self._told]
        if len(self._told) > MAX_REMEMBERED:
            self._told.clear()
        self._told.update(orphan.job_id for orphan in new)
        for name in {orphan.definition for orphan in new}:
            _logger.warning("jobs of %r wait here, and no definition of that name is known", name)
        for orphan in new:
            self._context.events.tell(
                JobOrphaned(job_id=orphan.job_id, name=orphan.definition, channel=orphan.channel)
            )
        return self._company.share(SCOUT_SECS, at_most=MAX_SHARE)

    def trouble(self) -> None:
        """Nothing is believed from one look to the next."""
