"""Enqueue what repeats. See tick.sql."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from cuckmq.protocol.statement import Statement

SQL: Final = "select * from {schema}.tick(%s::integer[])"


class Ticked(NamedTuple):
    """A schedule that was due; without a job when its definition is unknown here.

    The last row has no name: it tells in `secs` when the next slot is, or None for never.
    """

    name: str | None
    slot_at: datetime
    job_id: int | None
    secs: float | None


def tick(definition_ids: list[int]) -> Statement[Ticked]:
    """Enqueue the jobs of due schedules, once each whatever the number of orchestrators."""
    return Statement(SQL, (definition_ids,), Ticked._make)
