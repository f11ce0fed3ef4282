"""Make jobs live again that failed or were cancelled. See retry.sql."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from cuckmq.protocol.statement import Statement

SQL: Final = "select * from {schema}.retry(%s::bigint[])"


class Retried(NamedTuple):
    """What became of a job: `queued`, or `duplicate` when another, the holder, has its unique key."""

    job_id: int
    verdict: str
    holder_id: int | None


def retry(job_ids: Sequence[int]) -> Statement[Retried]:
    """Retry jobs in one transaction; a row for each of them that had failed or was cancelled."""
    return Statement(SQL, (list(job_ids),), Retried._make)
