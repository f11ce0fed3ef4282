"""Look, without changing anything: jobs, their counts, orphans, invariants, versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from cuckmq.protocol.statement import Statement, only

JOBS: Final = """
    select id, definition, channel, priority, job_group, state, reason, attempt, error_count, stall_count,
        num_attempts, num_stalls, num_failures, created_at, run_at, claimed_at, finalized_at, worker_id,
        is_cancel_requested, payload::text, result::text, errors, progress, progress_message, notes
    from {schema}.look(%s::bigint[])
"""
ENDINGS: Final = "select job_id, state, reason, result::text, errors from {schema}.endings(%s::bigint[])"
COUNTS: Final = """
    select 'scheduled', count(*) from {schema}.scheduled where job_id is not null
    union all
    select 'queued', (select count(*) from {schema}.ready where job_id is not null)
        + (select count(*) from {schema}.waiting)
    union all select 'blocked', count(*) from {schema}.blocked
    union all select 'running', count(*) from {schema}.running
    union all select state, count(*) from {schema}.finalized group by state
"""
NAME: Final = """
    select d.name from {schema}.job j join {schema}.job_definition d on d.id = j.definition_id where j.id = %s
"""
ORPHANS: Final = "select * from {schema}.find_orphans(%s::integer[], %s::integer[])"
PROBLEMS: Final = "select * from {schema}.check_invariants()"
VERSION: Final = """
    select version, max(serves_from) over (), functions_fingerprint
    from {schema}.schema_version order by version desc limit 1
"""


class JobRow(NamedTuple):
    """A row of look(), payload and result as JSON text. No payload: who asks may not see it."""

    id: int
    definition: str
    channel: str
    priority: int
    job_group: str | None
    state: str
    reason: str | None
    attempt: int
    error_count: int
    stall_count: int
    num_attempts: int
    num_stalls: int
    num_failures: int
    created_at: datetime
    run_at: datetime
    claimed_at: datetime | None
    finalized_at: datetime | None
    worker_id: int | None
    is_cancel_requested: bool
    payload: str | None
    result: str | None
    errors: list[dict[str, Any]] | None
    progress: float | None
    progress_message: str | None
    notes: dict[str, Any] | None


class Ending(NamedTuple):
    """How a job ended; without a state, that there is no such job (any more)."""

    job_id: int
    state: str | None
    reason: str | None
    result: str | None
    errors: list[dict[str, Any]] | None


class Orphan(NamedTuple):
    """A job that a worker passes over because it does not know its definition."""

    job_id: int
    definition: str
    channel: str


class SchemaVersion(NamedTuple):
    """At which version the schema is, and the oldest whose library may work on it."""

    version: int
    serves_from: int
    functions_fingerprint: str | None


class Problem(NamedTuple):
    """Something that should never be."""

    problem: str
    job_id: int | None
    group_hash: int | None


def find_jobs(job_ids: list[int]) -> Statement[JobRow]:
    """Find jobs by id, live or finalized, in no particular order."""
    return Statement(JOBS, (job_ids,), JobRow._make)


def find_name(job_id: int) -> Statement[str]:
    """Find the name of a live job's definition; no row without such a job."""
    return Statement(NAME, (job_id,), only)


def find_endings(job_ids: list[int]) -> Statement[Ending]:
    """Find how jobs ended, or that they are nowhere; those that live are left out."""
    return Statement(ENDINGS, (job_ids,), Ending._make)


def count_jobs() -> Statement[tuple[str, int]]:
    """Count jobs by state. Counts every row: meant for people, not for loops."""
    return Statement(COUNTS, (), lambda row: (row[0], row[1]))


def find_orphans(channel_ids: list[int] | None, definition_ids: list[int]) -> Statement[Orphan]:
    """Find jobs of these channels that nobody with these definitions claims; bounded."""
    return Statement(ORPHANS, (channel_ids, definition_ids), Orphan._make)


def find_problems() -> Statement[Problem]:
    """Check the whole picture; no rows when all is well."""
    return Statement(PROBLEMS, (), Problem._make)


def find_version() -> Statement[SchemaVersion]:
    """Tell the schema's version; no row before the first migration.

    What one version took away stays away, so of all that were applied the strictest counts.
    """
    return Statement(VERSION, (), SchemaVersion._make)
