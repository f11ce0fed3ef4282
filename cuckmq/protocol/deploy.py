"""Make definitions known, or take them out of service. See deploy.sql, undeploy.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cuckmq.limits import Limits
from cuckmq.protocol.statement import Statement, only
from cuckmq.recurrence import Missed, Overlap

DEPLOY: Final = (
    "select {schema}.deploy(%s, %s, %s::integer, %s::float8, %s::integer, %s::integer, %s::integer,"
    " %s::float8, %s, %s, %s, %s::float8, %s,"
    " %s::float8, %s::float8, %s::float8, %s, %s, %s, %s, %s::timestamptz,"
    " %s, %s::integer, %s::integer, %s::float8)"
)
UNDEPLOY: Final = "select {schema}.undeploy(%s)"
FIND: Final = "select d.name, d.id from {schema}.job_definition d where d.name = any(%s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the database keeps of a definition's terms. Limits of UNLIMITED mean none."""

    channel: str
    priority: int
    delay_secs: float
    num_attempts: int
    num_stalls: int
    num_failures: int
    repeat_secs: float | None = None
    job_group: str | None = None
    unique_key: str | None = None
    unique_scope: str | None = None
    unique_for_secs: float | None = None
    is_duplicate_refused: bool = False
    expires_secs: float | None = None
    keep_succeeded_secs: float | None = None
    keep_failed_secs: float | None = None
    cron: str | None = None
    timezone: str = "UTC"
    missed: Missed = "one"
    overlap: Overlap = "queue"
    next_at: datetime | None = None
    limits: Limits | None = None


def deploy(name: str, deployment: Deployment) -> Statement[int]:
    """Make a definition known or bring it up to date; one row, of its id. Safe to repeat."""
    what = deployment
    limits = what.limits or Limits()
    return Statement(
        DEPLOY,
        (
            name,
            what.channel,
            what.priority,
            what.delay_secs,
            what.num_attempts,
            what.num_stalls,
            what.num_failures,
            what.repeat_secs,
            what.job_group,
            what.unique_key,
            what.unique_scope,
            what.unique_for_secs,
            what.is_duplicate_refused,
            what.expires_secs,
            what.keep_succeeded_secs,
            what.keep_failed_secs,
            what.cron,
            what.timezone,
            what.missed,
            what.overlap,
            what.next_at,
            None if what.limits is None else True,
            limits.concurrency,
            limits.rate,
            limits.span_secs,
        ),
        only,
    )


def undeploy(name: str) -> Statement[bool]:
    """Take a definition out of service; one row, of whether it was in service."""
    return Statement(UNDEPLOY, (name,), only)


def find_definitions(names: list[str]) -> Statement[tuple[str, int]]:
    """Find the ids of those definitions that the database knows."""
    return Statement(FIND, (names,), lambda row: (row[0], row[1]))
