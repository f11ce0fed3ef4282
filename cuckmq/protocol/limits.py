"""Limit channels, definitions and groups; pause channels. See limit_channel.sql and its siblings."""

from __future__ import annotations

from typing import Final

from cuckmq.limits import Limits
from cuckmq.protocol.statement import Statement, only

LIMIT_CHANNEL: Final = (
    "select {schema}.limit_channel(%s, %s::integer, %s::integer, %s::float8, %s::integer)::text"
)
LIMIT_DEFINITION: Final = "select {schema}.limit_definition(%s, %s::integer, %s::integer, %s::float8)::text"
LIMIT_GROUP: Final = "select {schema}.limit_group(%s, %s::integer)::text"
PAUSE: Final = "select {schema}.pause_channel(%s, %s)"
LIMITS: Final = """
    select d.name, q.concurrency, q.rate, q.rate_secs
    from {schema}.job_definition d left join {schema}.quota q on q.definition_id = d.id
    where d.name = %s
"""
GROUPS: Final = "select g.job_group, g.concurrency from {schema}.group_limit g order by g.job_group"


def limit_channel(name: str, limits: Limits, max_size: int | None) -> Statement[str]:
    """Set the limits of a channel instead of those it had."""
    return Statement(LIMIT_CHANNEL, (name, limits.concurrency, limits.rate, limits.span_secs, max_size), only)


def limit_definition(name: str, limits: Limits) -> Statement[str]:
    """Set the limits of a definition instead of those it had."""
    return Statement(LIMIT_DEFINITION, (name, limits.concurrency, limits.rate, limits.span_secs), only)


def limit_group(job_group: str, concurrency: int) -> Statement[str]:
    """Let a group be served by so many at once."""
    return Statement(LIMIT_GROUP, (job_group, concurrency), only)


def pause_channel(name: str, *, is_paused: bool) -> Statement[bool]:
    """Pause a channel or resume it; one row, of whether anything changed."""
    return Statement(PAUSE, (name, is_paused), only)


def find_limits(definition: str) -> Statement[tuple[str, Limits]]:
    """Find the limits of a definition; no row if there is no such definition."""
    return Statement(LIMITS, (definition,), lambda row: (row[0], as_limits(row[1], row[2], row[3])))


def find_group_limits() -> Statement[tuple[str, int]]:
    """Find the groups that more than one may serve, and how many."""
    return Statement(GROUPS, (), lambda row: (row[0], row[1]))


def as_limits(concurrency: int | None, rate: int | None, rate_secs: float | None) -> Limits:
    """Make Limits of what the database keeps."""
    return Limits(concurrency, rate, 1.0 if rate_secs is None else rate_secs)
