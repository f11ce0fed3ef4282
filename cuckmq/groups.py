"""Job groups that more than one may serve at once."""

from __future__ import annotations

from cuckmq.database.database import Database
from cuckmq.names import check_job_group
from cuckmq.protocol.limits import find_group_limits, limit_group
from cuckmq.types import as_count

MAX_CONCURRENCY = 1_000


class Groups:
    """The job groups of a context's queue: `context.groups`.

    Groups need no setting up: the first job that names one makes it, and one job of it runs at a time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def limit(self, job_group: str, *, concurrency: int) -> None:
        """Let so many jobs of a group run at once, over all workers; 1 is what every group has.

        With fewer than before, those that run go on, and nothing begins until they are few enough. Jobs
        of a group that several may serve start in their order, and may end in another. Commits.

        Raises:
            ConfigurationError: the name cannot be one, or the number is not from 1 to 1,000.
        """
        check_job_group(job_group)
        number = as_count("concurrency", concurrency, minimum=1, maximum=MAX_CONCURRENCY)
        await self._database.run(limit_group(job_group, number))

    async def limits(self) -> dict[str, int]:
        """Tell the groups of which more than one job may run at once, and how many of each."""
        return dict(await self._database.run(find_group_limits()))
