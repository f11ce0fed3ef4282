"""Look at jobs, and act on them, by id."""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cuckmq.database.database import Database
from cuckmq.errors import ConfigurationError, InvalidPayload, JobNotFound
from cuckmq.job import Job, job_from_row
from cuckmq.payload import CodecError
from cuckmq.protocol import inspect
from cuckmq.protocol.cancel import cancel
from cuckmq.protocol.find_jobs import Filter, list_jobs, peek
from cuckmq.protocol.statement import Statement
from cuckmq.state import JobState

ANY: Final[Any] = object()
"""Stands for a payload that is not asked for, since None is a payload too."""
MAX_PAGE: Final = 10_000


class Jobs:
    """The jobs of a context: `context.jobs`."""

    def __init__(self, database: Database, known: Mapping[int, Any], definitions: Mapping[str, Any]) -> None:
        self._database = database
        self._known = known
        self._definitions = definitions

    async def get(self, job_id: int) -> Job:
        """Look at one job.

        Raises:
            JobNotFound: never enqueued, or purged.
        """
        rows = await self._database.run(inspect.find_jobs([job_id]))
        if not rows:
            raise JobNotFound(f"there is no job {job_id}: never enqueued, or purged", job_id=job_id)
        return job_from_row(rows[0])

    async def get_many(self, job_ids: Sequence[int]) -> builtins.list[Job]:
        """Look at several jobs, in the order asked for. Those that are not there are left out."""
        rows = await self._database.run(inspect.find_jobs(list(job_ids)))
        found = {row.id: job_from_row(row) for row in rows}
        return [found[job_id] for job_id in job_ids if job_id in found]

    async def list(
        self,
        *,
        state: JobState | None = None,
        name: str | None = None,
        channel: str | None = None,
        job_group: str | None = None,
        limit: int = 100,
        after: int | None = None,
        oldest_first: bool = False,
    ) -> builtins.list[Job]:
        """List jobs by id, the newest first: a page of them.

        For the next page give the last id of this one as `after`; jobs that come and go meanwhile make no
        other appear twice or not at all. Walks an index from `after` on until the page is full: without
        filters, and with `state=RUNNING`, it reads no more than the page; a filter that few jobs pass
        makes it read all that do not.

        Args:
            state: where they stand.
            name: of their definition.
            channel: where they were put.
            job_group: their group.
            limit: how many at most, up to 10,000.
            after: the last id of the page before.
            oldest_first: go the other way.

        Raises:
            DefinitionNotFound, ChannelNotFound: nobody ever deployed or named that.
            ConfigurationError: the limit or the state is none.
        """
        states = None if state is None else [_as_state(state)]
        wanted = Filter(states=states, name=name, channel=channel, job_group=job_group)
        return await self._page(
            list_jobs(wanted, after=after, limit=_as_page(limit), is_oldest_first=oldest_first)
        )

    async def peek(self, channel: str, limit: int = 10) -> builtins.list[Job]:
        """Look at the jobs of a channel that would be claimed next, in that order.

        Of a job group only the first in line, as the others wait for it; none of a group of which a job
        runs. Reads the heads of the channel's lanes and no more.

        Raises:
            ChannelNotFound: nobody ever named that channel.
            ConfigurationError: the limit is none.
        """
        return await self._page(peek(channel, limit=_as_page(limit)))

    async def find_running(self, name: str, payload: Any = ANY) -> builtins.list[Job]:
        """Find the jobs of a definition that run, oldest first; if a payload is given, those that have it.

        Payloads are compared as JSON values, whatever the order of keys. Reads each running job.

        Args:
            name: of the definition.
            payload: as given to enqueue(), or as plain JSON values for a definition that this
                context does not have.

        Raises:
            DefinitionNotFound: nobody ever deployed that.
            InvalidPayload: no job of that definition can have such a payload.
        """
        wanted = Filter(states=["running"], name=name, payload=self._payload(name, payload))
        return await self._page(list_jobs(wanted, after=None, limit=MAX_PAGE, is_oldest_first=True))

    async def count(self) -> dict[JobState, int]:
        """Count jobs by state. Reads every entry: for people and tests, not for loops."""
        counts = dict(await self._database.run(inspect.count_jobs()))
        return {state: counts.get(state.value, 0) for state in JobState}

    async def cancel(self, job_id: int) -> bool:
        """Cancel a job: at once if it has not started, else by asking its worker to stop it.

        Returns:
            Whether it is cancelled or was asked to be; False when there is no such live job.
        """
        (answer,) = await self._database.run(cancel(job_id))
        return answer in ("cancelled", "requested")

    async def find_orphans(self) -> builtins.list[inspect.Orphan]:
        """Find queued jobs whose definitions this context does not know, at the heads of all lanes."""
        return await self._database.run(inspect.find_orphans(None, list(self._known)))

    async def find_problems(self) -> builtins.list[inspect.Problem]:
        """Check the queue as a whole. An empty list means that all is well. Reads everything."""
        return await self._database.run(inspect.find_problems())

    async def _page(self, statement: Statement[inspect.JobRow]) -> builtins.list[Job]:
        return [job_from_row(row) for row in await self._database.run(statement)]

    def _payload(self, name: str, payload: Any) -> str | None:
        """Write a payload that is looked for, just as it was written when it was put in."""
        if payload is ANY:
            return None
        definition = self._definitions.get(name)
        try:
            text: str = (
                json.dumps(payload) if definition is None else definition.payload_codec.encode(payload)
            )
        except (CodecError, TypeError, ValueError) as error:
            raise InvalidPayload(f"no job {name!r} has such a payload: {error}") from None
        return text


def _as_state(state: object) -> str:
    try:
        return JobState(state).value  # type: ignore[arg-type]  # refused if it is none
    except ValueError:
        known = ", ".join(each.value for each in JobState)
        raise ConfigurationError(f"{state!r} is no state of a job: take one of {known}") from None


def _as_page(limit: object) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_PAGE:
        raise ConfigurationError(f"limit is a whole number from 1 to {MAX_PAGE:,}, not {limit!r}")
    return limit
