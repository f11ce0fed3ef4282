"""Cancel a job. See cancel.sql."""

from __future__ import annotations

from typing import Final

from cuckmq.protocol.statement import Statement, only

SQL: Final = "select {schema}.cancel(%s)"


def cancel(job_id: int) -> Statement[str | None]:
    """Cancel one job; one row: `cancelled`, `requested`, or None without such a job."""
    return Statement(SQL, (job_id,), only)
