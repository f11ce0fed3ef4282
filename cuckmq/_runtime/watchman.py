"""The duty of the watchman: tell what runs, now and then."""

from __future__ import annotations

from cuckmq.context import Context
from cuckmq.events import JobsRunning
from cuckmq.log import get_log
from cuckmq.protocol.stat import find_running

_logger = get_log("cuckmq.watchman")

MAX_TOLD = 100


class Watchman:
    """Tells the jobs that run longest, as an event and in the log.

    Args:
        context: whose jobs.
        poll_secs: how often.
    """

    name = "watchman"

    def __init__(self, context: Context, *, poll_secs: float) -> None:
        self._context = context
        self._poll_secs = poll_secs

    async def turn(self) -> float:
        """Look, and tell if anything runs."""
        running = await self._context.database.run(find_running(MAX_TOLD))
        for job in running:
            _logger.debug(
                "job %s (%s) runs on worker %s for %.1f s", job.job_id, job.name, job.worker_id, job.age_secs
            )
        if running:
            self._context.events.tell(JobsRunning(ages_secs={job.job_id: job.age_secs for job in running}))
        return self._poll_secs

    def trouble(self) -> None:
        """Nothing is believed from one look to the next."""
