"""Look at jobs, and act on them, by id."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cuckmq.bulk import CancelAnswer, RetryAnswer, cancel_many, retry_many
from cuckmq.cancellation import cancel_job, cancel_job_sync, is_accepted
from cuckmq.database.database import Database
from cuckmq.errors import ConfigurationError, DuplicateJob, JobNotFound
from cuckmq.hub import EventHub
from cuckmq.job import Job, job_from_row
from cuckmq.protocol import inspect
from cuckmq.protocol.find_jobs import Filter, list_jobs, peek
from cuckmq.protocol.retry import Retried, retry
from cuckmq.protocol.statement import Statement
from cuckmq.state import JobState
from cuckmq.wanted import ANY, MAX_PAGE, as_page, as_payload, as_state

_LIVE: Final = [state.value for state in JobState if not state.is_final]


class Jobs:
    """The jobs of a context: `context.jobs`."""

    def __init__(
        self,
        database: Database,
        events: EventHub,
        known: Mapping[int, Any],
        definitions: Mapping[str, Any],
    ) -> None:
        self._database = database
        self._events = events
        self._known = known
        self._definitions = definitions

    async def get(self, job_id: int) -> Job:
        """Look at one job.

        Raises:
            JobNotFound: never enqueued, or purged.
        """
        return _only(job_id, await self._database.run(inspect.find_jobs([job_id])))

    def get_sync(self, job_id: int) -> Job:
        """Do what get() does, without an event loop, as all calls here that end so."""
        return _only(job_id, self._database.run_sync(inspect.find_jobs([job_id])))

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
        wanted = _filter(state, name, channel, job_group)
        return await self._page(
            list_jobs(wanted, after=after, limit=as_page(limit), is_oldest_first=oldest_first)
        )

    def list_sync(
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
        """Do what list() does, without an event loop."""
        wanted = _filter(state, name, channel, job_group)
        statement = list_jobs(wanted, after=after, limit=as_page(limit), is_oldest_first=oldest_first)
        return [job_from_row(row) for row in self._database.run_sync(statement)]

    async def peek(self, channel: str, limit: int = 10) -> builtins.list[Job]:
        """Look at the jobs of a channel that would be claimed next, in that order.

        Of a job group only the first in line, as the others wait for it; none of a group of which a job
        runs. Reads the heads of the channel's lanes and no more.

        Raises:
            ChannelNotFound: nobody ever named that channel.
            ConfigurationError: the limit is none.
        """
        return await self._page(peek(channel, limit=as_page(limit)))

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
        wanted = Filter(states=["running"], name=name, payload=as_payload(payload, name, self._definitions))
        return await self._page(list_jobs(wanted, after=None, limit=MAX_PAGE, is_oldest_first=True))

    async def count(self) -> dict[JobState, int]:
        """Count jobs by state. Reads every entry: for people and tests, not for loops."""
        return _counts(await self._database.run(inspect.count_jobs()))

    def count_sync(self) -> dict[JobState, int]:
        """Do what count() does, without an event loop."""
        return _counts(self._database.run_sync(inspect.count_jobs()))

    async def cancel(self, job_id: int) -> bool:
        """Cancel a job: at once if it has not started, else by asking its worker to stop it.

        Returns:
            Whether it is cancelled or was asked to be; False when there is no such live job.
        """
        return is_accepted(await cancel_job(job_id, self._database, self._events))

    def cancel_sync(self, job_id: int) -> bool:
        """Do what cancel() does, without an event loop."""
        return is_accepted(cancel_job_sync(job_id, self._database, self._events))

    async def cancel_many(
        self,
        *,
        state: JobState | None = None,
        name: str | None = None,
        channel: str | None = None,
        job_group: str | None = None,
        payload: Any = ANY,
    ) -> dict[int, CancelAnswer]:
        """Cancel all live jobs that fit, oldest first, each in a transaction of its own.

        Jobs put in meanwhile may be met, or not. Reads each live job, if no state narrows it.

        Args:
            state: where they stand; any live state unless one is named.
            name: of their definition.
            channel: where they were put.
            job_group: their group.
            payload: equal to theirs, as in find_running().

        Returns:
            What became of each: `cancelled`, `requested` for one that runs and whose worker is told to stop
            it and which will not start again, `ended` for one that had ended.

        Raises:
            DefinitionNotFound, ChannelNotFound: nobody ever deployed or named that.
            InvalidPayload: no job of that definition can have such a payload.
            ConfigurationError: nothing was asked for, or an ended state.
        """
        if payload is ANY and (state, name, channel, job_group) == (None,) * 4:
            raise ConfigurationError(
                "say which jobs to cancel: by state, name, channel, job_group or payload"
            )
        states = _LIVE if state is None else [as_state(state)]
        if states[0] not in _LIVE:
            raise ConfigurationError(f"a job that is {states[0]} has ended: there is nothing to cancel")
        wanted = Filter(
            states=states, name=name, channel=channel, job_group=job_group,
            payload=as_payload(payload, name, self._definitions),
        )  # fmt: skip
        return await cancel_many(self._database, self._events, wanted)

    async def retry(self, job_id: int) -> bool:
        """Have a job that failed or was cancelled run again, with all its tries.

        It keeps its id, its payload and the errors so far, and may run at once. Two who retry one job at the
        same time retry it once.

        Returns:
            Whether it was retried here; False when it lives, or has succeeded.

        Raises:
            JobNotFound: never enqueued, or purged.
            DuplicateJob: another job holds its unique key by now.
        """
        if _is_retried(await self._database.run(retry([job_id]))):
            return True
        await self.get(job_id)
        return False

    def retry_sync(self, job_id: int) -> bool:
        """Do what retry() does, without an event loop."""
        if _is_retried(self._database.run_sync(retry([job_id]))):
            return True
        self.get_sync(job_id)
        return False

    async def retry_many(
        self,
        *,
        state: JobState = JobState.FAILED,
        name: str | None = None,
        channel: str | None = None,
        job_group: str | None = None,
        payload: Any = ANY,
    ) -> dict[int, RetryAnswer]:
        """Retry all jobs that failed (or, if `state` says so, were cancelled) and fit, oldest first.

        A thousand in a transaction. Reads all of history that is kept. The filters are those of
        cancel_many(), and so are the errors.

        Returns:
            What became of each that was found: `queued`, or `duplicate` for one that was left as it is
            because another job holds its unique key by now.
        """
        if as_state(state) not in (JobState.FAILED, JobState.CANCELLED):
            raise ConfigurationError(f"only failed and cancelled jobs can be retried, not state={state!r}")
        wanted = Filter(
            states=[as_state(state)], name=name, channel=channel, job_group=job_group,
            payload=as_payload(payload, name, self._definitions),
        )  # fmt: skip
        return await retry_many(self._database, wanted)

    async def find_orphans(self) -> builtins.list[inspect.Orphan]:
        """Find queued jobs whose definitions this context does not know, at the heads of all lanes."""
        return await self._database.run(inspect.find_orphans(None, list(self._known)))

    async def find_problems(self) -> builtins.list[inspect.Problem]:
        """Check the queue as a whole. An empty list means that all is well. Reads everything."""
        return await self._database.run(inspect.find_problems())

    async def _page(self, statement: Statement[inspect.JobRow]) -> builtins.list[Job]:
        return [job_from_row(row) for row in await self._database.run(statement)]


def _only(job_id: int, rows: Sequence[inspect.JobRow]) -> Job:
    if not rows:
        raise JobNotFound(f"there is no job {job_id}: never enqueued, or purged", job_id=job_id)
    return job_from_row(rows[0])


def _filter(state: JobState | None, name: str | None, channel: str | None, job_group: str | None) -> Filter:
    states = None if state is None else [as_state(state)]
    return Filter(states=states, name=name, channel=channel, job_group=job_group)


def _counts(rows: Sequence[tuple[str, int]]) -> dict[JobState, int]:
    counts = dict(rows)
    return {state: counts.get(state.value, 0) for state in JobState}


def _is_retried(rows: Sequence[Retried]) -> bool:
    for row in rows:
        if row.verdict == "duplicate":
            raise DuplicateJob(
                f"job {row.job_id} cannot be retried: job {row.holder_id} holds its unique key; wait for "
                "that to end, or cancel it",
                job_id=row.holder_id or 0,
            )
    return bool(rows)
