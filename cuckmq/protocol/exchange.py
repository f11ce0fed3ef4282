"""Give outcomes and take jobs, in one round trip. See exchange.sql, settle.sql, claim.sql, claim_one.sql."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
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

ONE_SQL: Final = "select * from {schema}.claim_one(%s, %s::integer, %s::integer[], %s::integer[])"


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


_as_row: Final[Callable[[tuple[Any, ...]], Row]] = partial(tuple.__new__, Row)
"""Row._make, which is asked for each job, without its check of the length: the server's columns are known."""


def verdicts_of(answered: Iterable[Row]) -> dict[int, str | None]:
    """Tell what became of jobs, by id, from rows with a verdict. `due` and `emptied` are of no job."""
    return {row.job_id: row.verdict for row in answered if row.verdict not in ("due", "emptied")}


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


def claim_one(worker_id: int, demand: Demand) -> Statement[Row]:
    """Claim one plain job, if one stands first. Limit, slice and marks of the demand say nothing here.

    Raises, when run:
        WorkerLost: the queue has taken the worker for dead; nothing was claimed.
    """
    return Statement(ONE_SQL, (worker_id, demand.num_recalls, *_places(demand)), _as_row)


def exchange(
    worker_id: int, outcomes: Sequence[Outcome], group_hashes: Sequence[int], demand: Demand
) -> Statement[Row]:
    """Settle outcomes, release groups and claim jobs, together or not at all.

    Raises, when run:
        WorkerLost: the queue has taken the worker for dead; nothing was settled or claimed.
    """
    places = (*_places(demand), demand.limit, demand.slice)
    if not (outcomes or group_hashes or demand.marks):
        return Statement(LOOK, (worker_id, demand.num_recalls, *places), _as_row)
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
        _as_row,
    )


def _places(demand: Demand) -> tuple[str | None, str]:
    """Where to claim from: the channels served, None for all, and the definitions known."""
    channel_ids = None if demand.channel_ids is None else _as_array(demand.channel_ids)
    return channel_ids, _as_array(demand.definition_ids)


def _as_array(values: Iterable[int | str]) -> str:
    """Write an array as PostgreSQL does, of numbers or moments.

    psycopg takes ten times as long over a list, and prepares the statement anew for lists of other types: of
    none, of small numbers, of large ones.
    """
    return f"{{{','.join(map(str, values))}}}"
