"""Ask whether a job may wait for another. See find_circle.sql."""

from __future__ import annotations

from typing import Final

from cuckmq.protocol.statement import Statement, only

SQL: Final = "select {schema}.find_circle(%s::bigint, %s, %s::bigint)"


def find_circle(job_id: int, job_group: str | None, awaited_id: int) -> Statement[int | None]:
    """Find the job that cannot run before `job_id` has ended, though `awaited_id` needs it; None if none."""
    return Statement(SQL, (job_id, job_group, awaited_id), only)
