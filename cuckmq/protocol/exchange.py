"""Give outcomes and take jobs, in one round trip. See exchange.sql, settle.sql and claim.sql."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from cuckmq.outcome import Outcome
from cuckmq.protocol.statement import Statement

SQL: Final = (
    "select * from {schema}.exchange(%s, %s::integer, %s::bigint[], %s::integer[], %s::json, %s::bigint[],"
    " %s::integer[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::bigint[], %s::integer[],"
    " %s::integer[], %s, %s, %s::integer[], %s::timestamptz[])"
)
LOOK: Final = (
    "select * from {schema}.exchange(%s, %s::integer, '{}', '{}', '[]', '{}', '{}', '{}', '{}', '{}', '{}',"
    " '{}', %s::integer[], %s::integer[], %s, %s, '{}', '{}')"
)
"""The same for one who has nothing to give and looks from the beginning: idle, while somebody may wait."""


class Row(NamedTuple):
    """A row of the answer.

    With a verdict it tells what became of an outcome (of a group for `emptied`, whose hash is in
    job_id), or for `due` in how many seconds the next entry comes due. Without one it is a job;
    one without a payload has expired, and is not to be run.
    """

    verdict: str | None
    job_id: int
    attempt: int
    definition_id: int
    lane_id: int
    run_at: datetime
    job_group: str | None
    group_hash: int | None
    is_suspect: bool
    error_count: int
    stall_count: int
    num_attempts: int
    payload: str | None
    secs: float | None


@dataclass(slots=True)
class Demand:
    """What a worker asks for.

    Attributes:
        channel_ids: the channels it serves; None for all.
        definition_ids: the definitions it knows.
        limit: how many entries to take at most; 0 for none.
        slice: how many jobs of one group to take at most.
        marks: by lane, where earlier claims have come to; empty to look from the start.
        num_recalls: how often it has recalled its jobs; asking without knowing of the latest, it gets none.
    """

    channel_ids: list[int] | None
    definition_ids: list[int]
    limit: int = 0
    slice: int = 1
    marks: dict[int, datetime] = field(default_factory=dict[int, datetime])
    num_recalls: int = 0


def exchange(
    worker_id: int, outcomes: Sequence[Outcome], group_hashes: Sequence[int], demand: Demand
) -> Statement[Row]:
    """Settle outcomes, release groups and claim jobs, together or not at all.

    Raises, when run:
        WorkerLost: the queue has taken the worker for dead; nothing was settled or claimed.
    """
    places = (
        None if demand.channel_ids is None else _as_array(demand.channel_ids),
        _as_array(demand.definition_ids),
        demand.limit,
        demand.slice,
    )
    if not (outcomes or group_hashes or demand.marks):
        return Statement(LOOK, (worker_id, demand.num_recalls, *places), Row._make, is_frequent=True)
    done = [outcome for outcome in outcomes if outcome.kind == "succeeded"]
    others = [outcome for outcome in outcomes if outcome.kind != "succeeded"]
    columns: Any = map(list, zip(*others, strict=True)) if others else ["{}"] * len(Outcome._fields)
    return Statement(
        SQL,
        (
            worker_id,
            demand.num_recalls,
            _as_array(outcome.job_id for outcome in done),
            _as_array(outcome.attempt for outcome in done),
            f"[{','.join([outcome.detail or 'null' for outcome in done])}]",
            *columns,
            _as_array(group_hashes),
            *places,
            _as_array(demand.marks),
            _as_array(mark.isoformat() for mark in demand.marks.values()),
        ),
        Row._make,
        is_frequent=True,
    )


def _as_array(values: Iterable[int | str]) -> str:
    """Write an array as PostgreSQL does, of numbers or moments.

    psycopg takes ten times as long over a list, and prepares the statement anew for lists of other types: of
    none, of small numbers, of large ones.
    """
    return f"{{{','.join(map(str, values))}}}"
