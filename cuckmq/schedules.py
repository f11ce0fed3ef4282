"""The schedules of a queue: look at them, and add, change, pause and remove them at run time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar, overload

from typing_extensions import Unpack

from cuckmq.database.database import Database
from cuckmq.definition import JobDefinition
from cuckmq.errors import ConfigurationError, ScheduleNotFound
from cuckmq.names import check_name
from cuckmq.protocol.overview import ScheduleInfo, find_schedules
from cuckmq.protocol.schedules import pause_schedule, put_schedule, remove_schedule
from cuckmq.recurrence import (
    Missed,
    Overlap,
    Recurrence,
    check_missed,
    check_overlap,
    check_recurrence,
    first_slot,
)
from cuckmq.terms import MIN_REPEAT_SECS
from cuckmq.types import Secs, as_optional_secs

PayloadT = TypeVar("PayloadT")


class ScheduleOptions(TypedDict, total=False):
    """When a schedule puts in its job; as in RepeatingOptions.

    Attributes:
        repeat_secs: each so many seconds, the first at once.
        cron: or at the moments of this expression.
        timezone: on whose clock the expression is read; UTC if nothing is said.
        missed: what becomes of moments that came while no orchestrator lived.
        overlap: what becomes of a moment while the job of the one before is live.
    """

    repeat_secs: Secs
    cron: str
    timezone: str
    missed: Missed
    overlap: Overlap


class Schedules:
    """The schedules of a context's queue: `context.schedules`. All of it works from any process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[ScheduleInfo]:
        """List what repeats, by name. Reads a row for each."""
        return await self._database.run(find_schedules())

    async def get(self, name: str) -> ScheduleInfo:
        """Look at one schedule.

        Raises:
            ScheduleNotFound: nothing repeats under that name.
        """
        found = await self._database.run(find_schedules(name))
        if not found:
            raise _not_found(name)
        return found[0]

    @overload
    async def add(
        self,
        name: str,
        definition: JobDefinition[None, Any],
        payload: None = None,
        **options: Unpack[ScheduleOptions],
    ) -> None: ...
    @overload
    async def add(
        self,
        name: str,
        definition: JobDefinition[PayloadT, Any],
        payload: PayloadT,
        **options: Unpack[ScheduleOptions],
    ) -> None: ...
    async def add(
        self,
        name: str,
        definition: JobDefinition[Any, Any],
        payload: Any = None,
        **options: Unpack[ScheduleOptions],
    ) -> None:
        """Add a schedule, or change the one of that name. A definition may have many.

        One that is changed keeps its next moment unless its rhythm is another, and stays paused if it
        was. Returns when the queue knows.

        Args:
            name: its own, unique in the queue.
            definition: whose jobs to put in; deployed.
            payload: what each job gets; validated now.
            options: when; see ScheduleOptions.

        Raises:
            InvalidPayload: it does not fit the definition.
            DefinitionNotDeployed: deploy() it first.
            ConfigurationError: an option is wrong, or the name belongs to another definition's schedule.
        """
        known = ScheduleOptions.__annotations__
        if unknown := sorted(set(options) - set(known)):
            raise ConfigurationError(f"unknown option {', '.join(unknown)}; there are {', '.join(known)}")
        repeat_secs = as_optional_secs("repeat_secs", options.get("repeat_secs"), minimum=MIN_REPEAT_SECS)
        recurrence = check_recurrence(repeat_secs, options.get("cron"), options.get("timezone", "UTC"))
        if recurrence is None:
            raise ConfigurationError(f"schedule {name!r} has no rhythm: give repeat_secs or cron")
        text, job_group = definition.prepare(payload)
        await self._database.run(
            put_schedule(
                check_name("schedule", name),
                definition.name,
                recurrence,
                text,
                job_group,
                missed=check_missed(options.get("missed", "one")),
                overlap=check_overlap(options.get("overlap", "queue")),
                next_at=first_slot(recurrence),
            )
        )

    async def pause(self, name: str) -> None:
        """Let a schedule put in nothing for a while. Twice is once. Jobs that are there still run.

        Raises:
            ScheduleNotFound: nothing repeats under that name.
        """
        if not (await self._database.run(pause_schedule(name, is_paused=True)))[0]:
            raise _not_found(name)

    async def resume(self, name: str) -> None:
        """Let a paused schedule go on with its next moment from now. What came meanwhile is not made up for.

        Raises:
            ScheduleNotFound: nothing repeats under that name.
        """
        found = await self.get(name)
        next_at, now = found.next_at, datetime.now(UTC)
        if next_at <= now:
            rhythm = Recurrence(found.repeat_secs, found.cron, found.timezone)
            _, next_at = rhythm.due(next_at, now, "one")
        if not (await self._database.run(pause_schedule(name, is_paused=False, next_at=next_at)))[0]:
            raise _not_found(name)

    async def remove(self, name: str) -> None:
        """Remove a schedule that was added. Jobs that are there still run.

        Raises:
            ScheduleNotFound: nothing repeats under that name.
            ConfigurationError: it is declared by its definition; undeploy that, or pause the schedule.
        """
        if not (await self._database.run(remove_schedule(name)))[0]:
            raise _not_found(name)


def _not_found(name: str) -> ScheduleNotFound:
    return ScheduleNotFound(
        f"there is no schedule {name!r}: no deployed definition of that name repeats, and none was added; "
        "`await context.schedules.list()` tells which there are"
    )
