"""Look at the schedules of a queue."""

from __future__ import annotations

from cuckmq.database.database import Database
from cuckmq.errors import ScheduleNotFound
from cuckmq.protocol.overview import ScheduleInfo, find_schedules


class Schedules:
    """The schedules of a context's queue: `context.schedules`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[ScheduleInfo]:
        """List what repeats, by name. Reads a row for each."""
        return await self._database.run(find_schedules())

    async def get(self, name: str) -> ScheduleInfo:
        """Look at one schedule.

        Raises:
            ScheduleNotFound: no definition of that name repeats.
        """
        found = await self._database.run(find_schedules(name))
        if not found:
            raise ScheduleNotFound(
                f"there is no schedule {name!r}: no deployed definition of that name repeats; "
                "`await context.schedules.list()` tells which there are"
            )
        return found[0]
