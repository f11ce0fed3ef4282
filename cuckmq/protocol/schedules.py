"""Add, pause and remove schedules. See put_schedule.sql."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cuckmq.protocol.statement import Statement, only
from cuckmq.recurrence import Missed, Overlap, Recurrence

PUT: Final = (
    "select {schema}.put_schedule(%s, %s, false, %s::float8, %s, %s, %s, %s,"
    " coalesce(%s::timestamptz, clock_timestamp()), %s, %s)"
)
PAUSE: Final = "select * from {schema}.pause_schedule(%s, %s, %s::timestamptz)"
REMOVE: Final = "select {schema}.remove_schedule(%s)"


def put_schedule(
    name: str,
    definition: str,
    recurrence: Recurrence,
    payload: str,
    job_group: str | None,
    *,
    missed: Missed,
    overlap: Overlap,
    next_at: datetime | None,
) -> Statement[None]:
    """Add a schedule, or bring one up to date; a first slot of None means at once."""
    rhythm = (recurrence.repeat_secs, recurrence.cron, recurrence.timezone)
    return Statement(PUT, (name, definition, *rhythm, missed, overlap, next_at, payload, job_group), only)


def pause_schedule(name: str, *, is_paused: bool, next_at: datetime | None = None) -> Statement[bool]:
    """Pause a schedule, or let it go on from a slot; one row, of whether there is such a schedule."""
    return Statement(PAUSE, (name, is_paused, next_at), only)


def remove_schedule(name: str) -> Statement[bool]:
    """Remove a schedule that was added; one row, of whether there was one."""
    return Statement(REMOVE, (name,), only)
