"""End or open jobs that nobody else comes by. See expire.sql and unblock_stragglers.sql."""

from __future__ import annotations

from typing import Final, NamedTuple

from cuckmq.protocol.statement import Statement

SQL: Final = """
    select e.job_id, e.definition, 'failed', 'expired' from {schema}.expire(%s::integer) e
    union all
    select u.job_id, u.definition, u.state, 'dependency_failed' from {schema}.unblock_stragglers(%s) u
"""


class Swept(NamedTuple):
    """A job that ended because nobody took it in time, or because one that it waited for did not succeed."""

    job_id: int
    definition: str
    state: str
    reason: str


def sweep(limit: int, *, is_thorough: bool) -> Statement[Swept]:
    """Fail jobs that expired, so many at most, and unblock stragglers; a row for each job that ended."""
    return Statement(SQL, (limit, is_thorough), Swept._make)
