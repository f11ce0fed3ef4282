"""Take the fence of an attempt: the `running` row, which only its owner finds. See fence.sql."""

from __future__ import annotations

from typing import Final

from cuckmq.protocol.statement import Statement, only

SQL: Final = "select {schema}.fence(%s, %s, %s::integer)"


def fence(worker_id: int, job_id: int, attempt: int) -> Statement[int]:
    """Lock the attempt's running row to the end of the transaction; no row when it is lost."""
    return Statement(SQL, (job_id, worker_id, attempt), only)
