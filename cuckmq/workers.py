"""Look at the workers of a queue, wherever they run."""

from __future__ import annotations

from cuckmq.database.database import Database
from cuckmq.errors import WorkerNotFound
from cuckmq.protocol.overview import WorkerInfo, find_workers


class Workers:
    """The workers of a context's queue: `context.workers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[WorkerInfo]:
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


def not_found(worker_id: int) -> str:
    """Say that there is no such worker, and what to do."""
    return (
        f"there is no worker {worker_id}: it stopped, or was taken for dead; "
        "`await context.workers.list()` tells who runs"
    )
