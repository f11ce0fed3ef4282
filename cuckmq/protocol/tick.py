"""Enqueue what repeats. See due_schedules.sql, tick.sql and secs_until_slot.sql."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from cuckmq.protocol.statement import Statement, only
from cuckmq.recurrence import Missed

DUE: Final = "select * from {schema}.due_schedules(%s::integer[])"
NEXT: Final = "select {schema}.secs_until_slot(%s::integer[], %s::text[])"
TICK: Final = "select * from {schema}.tick(%s, %s::timestamptz, %s::timestamptz[], %s::timestamptz)"


class Due(NamedTuple):
    """A schedule whose next slot has come, and what is needed to count its slots."""

    name: str
    definition: str
    due_at: datetime
    now: datetime
    repeat_secs: float | None
    cron: str | None
    timezone: str
    missed: Missed
    is_known: bool


class Ticked(NamedTuple):
    """A slot that was served; without a job when it was skipped."""

    slot_at: datetime
    job_id: int | None


def find_due(definition_ids: list[int]) -> Statement[Due]:
    """Find the schedules that are due, and whether their definitions are among those given."""
    return Statement(DUE, (definition_ids,), Due._make)


def find_next(definition_ids: list[int], but: list[str]) -> Statement[float | None]:
    """Tell in how many seconds the next slot comes, but of the schedules named; one row, None for never."""
    return Statement(NEXT, (definition_ids, but), only)


def tick(name: str, due_at: datetime, slots: list[datetime], next_at: datetime) -> Statement[Ticked]:
    """Serve slots of a schedule that is still due at that moment; no rows when another was first."""
    return Statement(TICK, (name, due_at, slots, next_at), Ticked._make)
