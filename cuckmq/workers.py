"""Look at the workers of a queue, and take jobs from those that should not have them."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from dataclasses import dataclass

from cuckmq.database.database import Database
from cuckmq.errors import WorkerNotFound
from cuckmq.hub import EventHub
from cuckmq.protocol.overview import WorkerInfo, find_workers
from cuckmq.protocol.workers import Reaped, Rescued, evict, reap
from cuckmq.rescued import tell_lost, tell_rescued
from cuckmq.types import Secs, as_count, as_secs


@dataclass(frozen=True, slots=True)
class LostWorker:
    """A worker that was found dead, or taken for it.

    Attributes:
        id: of that run of it.
        name: as it was given.
        jobs: those taken from it, each with what became of it: `queued`, `failed` or `cancelled`. A job
            that someone has hold of at this very moment is not among them: the next rescue takes it.
    """

    id: int
    name: str
    jobs: tuple[Rescued, ...]


class Workers:
    """The workers of a context's queue: `context.workers`."""

    def __init__(self, database: Database, events: EventHub, *, job_group_unlock_secs: float) -> None:
        self._database = database
        self._events = events
        self._job_group_unlock_secs = job_group_unlock_secs

    async def list(self) -> builtins.list[WorkerInfo]:
        """List the workers that run, oldest first.

        A worker that stopped is gone at once; one that died is listed, not alive, until it is rescued.
        Reads the workers' rows and an entry for each running job.
        """
        return await self._database.run(find_workers())

    async def get(self, worker_id: int) -> WorkerInfo:
        """Look at one worker.

        Raises:
            WorkerNotFound: it never was, it stopped, or it was rescued.
        """
        found = await self._database.run(find_workers(worker_id))
        if not found:
            raise WorkerNotFound(not_found(worker_id))
        return found[0]

    async def evict(self, worker_id: int) -> LostWorker:
        """Take a worker for dead now, and its jobs away from it; each has stalled once more.

        They go back to the front of the line, or fail as `stalled` if they have stalled as often as they
        may. Should the worker live, it learns of it with its next claim or beat, lets go of what it runs,
        and goes on under another id: to end a worker, end its process. Committed on return.

        Raises:
            WorkerNotFound: it never was, it stopped, or it was rescued.
            ConfigurationError: that is no id.
        """
        as_count("worker_id", worker_id, minimum=0, maximum=2**63 - 1)
        statement = evict(worker_id, job_group_unlock_secs=self._job_group_unlock_secs)
        lost = self._tell(await self._database.run(statement))
        return next(worker for worker in lost if worker.id == worker_id)

    async def reap(self, *, heartbeat_secs: Secs = 2.5) -> builtins.list[LostWorker]:
        """Find dead workers now, and take their jobs away, as workers and orchestrators do each second.

        Committed on return.

        Args:
            heartbeat_secs: how often workers beat; as the workers have it.

        Returns:
            Those found dead, oldest first.
        """
        beat_secs = as_secs("heartbeat_secs", heartbeat_secs, minimum=0.05)
        statement = reap(job_group_unlock_secs=self._job_group_unlock_secs, beat_secs=beat_secs)
        return self._tell(await self._database.run(statement))

    def _tell(self, rows: Iterable[Reaped]) -> builtins.list[LostWorker]:
        names: dict[int, str] = {}
        jobs: dict[int, builtins.list[Rescued]] = {}
        for row in rows:
            names[row.worker_id] = row.name or ""
            taken = jobs.setdefault(row.worker_id, [])
            if row.rescued is not None:
                taken.append(row.rescued)
        for worker_id, taken in jobs.items():
            tell_lost(self._events, worker_id, names[worker_id])
            tell_rescued(self._events, taken)
        return [LostWorker(worker_id, name, tuple(jobs[worker_id])) for worker_id, name in names.items()]


def not_found(worker_id: int) -> str:
    """Say that there is no such worker, and what to do."""
    return (
        f"there is no worker {worker_id}: it stopped, or was taken for dead; "
        "`await context.workers.list()` tells who runs"
    )
