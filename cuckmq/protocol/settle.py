"""Give outcomes, in a transaction of one's own choice. See settle.sql."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cuckmq.outcome import Outcome
from cuckmq.protocol.statement import Statement

SQL: Final = (
    "select * from {schema}.settle(%s, %s::bigint[], %s::integer[], %s::text[], %s::text[], %s::text[],"
    " %s::float8[], '{}')"
)


def settle(worker_id: int, outcomes: Sequence[Outcome]) -> Statement[tuple[int, str]]:
    """Settle outcomes; a row for each that did not end as a plain success, of its job and verdict."""
    columns: Any = zip(*outcomes, strict=True)
    return Statement(SQL, (worker_id, *map(list, columns)), lambda row: (row[0], row[1]))
