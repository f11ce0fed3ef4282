"""Make definitions known, or take them out of service. See deploy.sql, undeploy.sql."""

from __future__ import annotations

from typing import Final

from cuckmq.protocol.statement import Statement, only

DEPLOY: Final = (
    "select {schema}.deploy(%s, %s, %s::integer, %s::float8, %s::integer, %s::integer, %s::float8, %s)"
)
UNDEPLOY: Final = "select {schema}.undeploy(%s)"
FIND: Final = "select d.name, d.id from {schema}.job_definition d where d.name = any(%s)"


def deploy(
    *,
    name: str,
    channel: str,
    priority: int,
    delay_secs: float,
    num_attempts: int,
    num_stalls: int,
    repeat_secs: float | None,
    job_group: str | None,
) -> Statement[int]:
    """Make a definition known or bring it up to date; one row, of its id. Safe to repeat."""
    return Statement(
        DEPLOY, (name, channel, priority, delay_secs, num_attempts, num_stalls, repeat_secs, job_group), only
    )


def undeploy(name: str) -> Statement[bool]:
    """Take a definition out of service; one row, of whether it was in service."""
    return Statement(UNDEPLOY, (name,), only)


def find_definitions(names: list[str]) -> Statement[tuple[str, int]]:
    """Find the ids of those definitions that the database knows."""
    return Statement(FIND, (names,), lambda row: (row[0], row[1]))
