"""Put jobs in. See enqueue_many.sql and enqueue_one.sql."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cuckmq.protocol.statement import Statement, only

# Payloads go as binary: psycopg quotes each element of an array of text by a pattern, and JSON is all quotes.
SQL: Final = (
    "select {schema}.enqueue_many(%s, %b::text[], %s::text[], %s::float8, %s::timestamptz, %s, %s::integer,"
    " %s::integer, %s::integer, %s::integer, %s, %s::float8, %s::timestamptz, %s::text[], %s, %s::float8, %s,"
    " 'refuse', %s::bigint[], %s)"
)
ONE_SQL: Final = "select {schema}.enqueue_one(%s, %s, %s, %s)"


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
    expires_secs: float | None = None
    expires_at: datetime | None = None
    needs_ids: Sequence[int] = ()
    on_dependency_failure: str = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The unique keys of jobs. None means what the definition says.

    Attributes:
        keys: one for each job, or None for a job without.
        scope: how long each is held.
        for_secs: the time of scope `for`.
        is_duplicate_refused: whether a key that is held by another is an error.
    """

    keys: Sequence[str | None] | None = None
    scope: str | None = None
    for_secs: float | None = None
    is_duplicate_refused: bool | None = None


AS_DEFINED: Final = Placement()
NO_KEYS: Final = Keys()


def enqueue(
    definition: str,
    payloads: Sequence[str],
    job_groups: Sequence[str | None] | None,
    placement: Placement,
    keys: Keys = NO_KEYS,
    *,
    is_silent: bool,
) -> Statement[list[int] | None]:
    """Put in a job for each payload, all or none; one row, of the ids in their order.

    The row is None, and nothing was put in, when the channel is of bounded size and has no room.

    In the place of a duplicate is the id of the job that holds its key, negated.

    Belongs to the transaction it is run in. `is_silent` leaves out the wake-up of workers.
    """
    is_plain = keys is NO_KEYS and (placement is AS_DEFINED or placement == AS_DEFINED)
    if is_plain and len(payloads) == 1:
        group = None if job_groups is None else job_groups[0]
        parameters = (definition, payloads[0], group, is_silent)
        return Statement(ONE_SQL, parameters, _as_list)
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
            where.expires_secs,
            where.expires_at,
            None if keys.keys is None else list(keys.keys),
            keys.scope,
            keys.for_secs,
            keys.is_duplicate_refused,
            list(where.needs_ids),
            where.on_dependency_failure,
        ),
        only,
    )


def _as_list(row: tuple[Any, ...]) -> list[int] | None:
    return None if row[0] is None else [row[0]]
