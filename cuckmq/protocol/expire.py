"""Fail what was not started in time. See expire.sql."""

from __future__ import annotations

from typing import Final, NamedTuple

from cuckmq.protocol.statement import Statement

SQL: Final = "select * from {schema}.expire(%s::integer)"


class Expired(NamedTuple):
    """A job that nobody took in time, and that has failed."""

    job_id: int
    definition: str


def expire(limit: int) -> Statement[Expired]:
    """Fail jobs whose time to be started is over, so many at most; a row for each."""
    return Statement(SQL, (limit,), Expired._make)
