"""Find jobs by what they are, or by what comes next. See find_jobs.sql, peek.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cuckmq.protocol import inspect
from cuckmq.protocol.inspect import JobRow
from cuckmq.protocol.statement import Statement, only


def _jobs_of(ids: str) -> str:
    """Write the SQL for whole jobs in the order in which other SQL names their ids."""
    jobs = inspect.JOBS.replace("%s::bigint[]", "(select ids from page)")
    order = "order by array_position((select ids from page), id)"
    return f"with page as materialized (select array({ids}) as ids) {jobs} {order}"


FIND: Final = "select {schema}.find_jobs(%s, %s, %s, %s, %s::jsonb, %s::bigint, %s::integer, %s)"
LIST: Final = _jobs_of(FIND)
PEEK: Final = _jobs_of("select {schema}.peek(%s, %s::integer)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What jobs must be; what is None is not asked for.

    Attributes:
        states: one of these.
        name: of the definition.
        channel: where they were put.
        job_group: their group.
        payload: equal to this, as JSON text.
    """

    states: list[str] | None = None
    name: str | None = None
    channel: str | None = None
    job_group: str | None = None
    payload: str | None = None

    def parameters(self, after: int | None, limit: int, *, is_oldest_first: bool) -> tuple[Any, ...]:
        """Give the parameters for a page of these jobs."""
        wanted = (self.states, self.name, self.channel, self.job_group, self.payload)
        return (*wanted, after, limit, is_oldest_first)


def list_jobs(wanted: Filter, *, after: int | None, limit: int, is_oldest_first: bool) -> Statement[JobRow]:
    """Find a page of jobs."""
    return Statement(LIST, wanted.parameters(after, limit, is_oldest_first=is_oldest_first), JobRow._make)


def find_job_ids(wanted: Filter, *, after: int | None, limit: int) -> Statement[int]:
    """Find the ids of a page of jobs, oldest first."""
    return Statement(FIND, wanted.parameters(after, limit, is_oldest_first=True), only)


def peek(channel: str, *, limit: int) -> Statement[JobRow]:
    """Find the jobs of a channel that would be claimed next, in that order."""
    return Statement(PEEK, (channel, limit), JobRow._make)
