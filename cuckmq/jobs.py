"""Look at jobs, and act on them, by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cuckmq.database.database import Database
from cuckmq.errors import JobNotFound
from cuckmq.job import Job, job_from_row
from cuckmq.protocol import inspect
from cuckmq.protocol.cancel import cancel
from cuckmq.state import JobState


class Jobs:
    """The jobs of a context: `context.jobs`."""

    def __init__(self, database: Database, known: Mapping[int, Any]) -> None:
        self._database = database
        self._known = known

    async def get(self, job_id: int) -> Job:
        """Look at one job.

        Raises:
            JobNotFound: never enqueued, or purged.
        """
        rows = await self._database.run(inspect.find_jobs([job_id]))
        if not rows:
            raise JobNotFound(f"there is no job {job_id}: never enqueued, or purged", job_id=job_id)
        return job_from_row(rows[0])

    async def get_many(self, job_ids: Sequence[int]) -> list[Job]:
        """Look at several jobs, in the order asked for. Those that are not there are left out."""
        rows = await self._database.run(inspect.find_jobs(list(job_ids)))
        found = {row.id: job_from_row(row) for row in rows}
        return [found[job_id] for job_id in job_ids if job_id in found]

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

    async def find_orphans(self) -> list[inspect.Orphan]:
        """Find queued jobs whose definitions this context does not know, at the heads of all lanes."""
        return await self._database.run(inspect.find_orphans(None, list(self._known)))

    async def find_problems(self) -> list[inspect.Problem]:
        """Check the queue as a whole. An empty list means that all is well. Reads everything."""
        return await self._database.run(inspect.find_problems())
