"""Put jobs in. See enqueue_many.sql."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cuckmq.protocol.statement import Statement, only

SQL: Final = (
    "select {schema}.enqueue_many(%s, %s::text[], %s::text[], %s::float8, %s::timestamptz, %s, %s::integer,"
    " %s::integer, %s::integer, %s::integer, %s)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where and when jobs are put. None means what the definition says."""

    delay_secs: float | None = None
    run_at: datetime | None = None
    channel: str | None = None
    priority: int | None = None
    num_attempts: int | None = None
    num_stalls: int | None = None
    num_failures: int | None = None


def enqueue(
    definition: str,
    payloads: Sequence[str],
    job_groups: Sequence[str | None] | None,
    placement: Placement,
    *,
    is_silent: bool,
) -> Statement[list[int]]:
    """Put in a job for each payload, all or none; one row, of the ids in their order.

    Belongs to the transaction it is run in. `is_silent` leaves out the wake-up of workers.
    """
    where = placement
    return Statement(
        SQL,
        (
            definition,
            list(payloads),
            None if job_groups is None else list(job_groups),
            where.delay_secs,
            where.run_at,
            where.channel,
            where.priority,
            where.num_attempts,
            where.num_stalls,
            where.num_failures,
            is_silent,
        ),
        only,
    )
