"""The orchestrator: enqueues what repeats, deletes what is old, rescues what was lost."""

from __future__ import annotations

from cuckmq._runtime.archivist import Archivist
from cuckmq._runtime.company import Company
from cuckmq._runtime.daemon import Daemon
from cuckmq._runtime.duty import DutyLoop
from cuckmq._runtime.purger import Purger
from cuckmq._runtime.rescuer import Rescuer
from cuckmq._runtime.sweeper import Sweeper
from cuckmq._runtime.ticker import Ticker
from cuckmq._runtime.watchman import Watchman
from cuckmq.context import Context
from cuckmq.database.connect import connect
from cuckmq.database.fuse import Fuse
from cuckmq.database.migrate import check_schema
from cuckmq.events import OrchestratorStarted, OrchestratorStopped
from cuckmq.types import Secs, as_secs


class Orchestrator(Daemon):
    """Keeps the clock and the house. Constructing it starts nothing.

    One is enough, several do no harm: each repeat is enqueued once whatever their number. Without
    any, jobs are run and dead workers are noticed all the same; but nothing repeats and nothing is
    deleted.

    Args:
        context: whose schedules and history.
        job_schedule_poll_secs: how often to look for schedules when none is due sooner.
        job_delete_poll_secs: how often to look for jobs old enough to delete.
        heartbeat_secs: how often workers beat.
        lease_secs: how long a worker's beat may be missing; as the workers have it.
        running_report_secs: how often to tell the jobs that run longest (JobsRunning); None for never.

    Raises:
        ConfigurationError: an option is wrong.
    """

    def __init__(
        self,
        context: Context,
        *,
        job_schedule_poll_secs: Secs = 5.0,
        job_delete_poll_secs: Secs = 60.0,
        heartbeat_secs: Secs = 2.5,
        lease_secs: Secs = 10.0,
        running_report_secs: Secs | None = None,
    ) -> None:
        super().__init__()
        self.context = context
        self._duties = [
            DutyLoop(
                Ticker(
                    context,
                    poll_secs=as_secs("job_schedule_poll_secs", job_schedule_poll_secs, minimum=0.01),
                )
            ),
            DutyLoop(
                Purger(
                    context,
                    poll_secs=as_secs("job_delete_poll_secs", job_delete_poll_secs, minimum=0.01),
                )
            ),
            DutyLoop(Sweeper(context, Company())),
            DutyLoop(
                Rescuer(
                    context,
                    beat_secs=as_secs("heartbeat_secs", heartbeat_secs, minimum=0.05),
                    lease_secs=as_secs("lease_secs", lease_secs, minimum=0.2),
                    company=Company(),
                )
            ),
            DutyLoop(Archivist(context)),
        ]
        if running_report_secs is not None:
            poll_secs = as_secs("running_report_secs", running_report_secs, minimum=0.01)
            self._duties.append(DutyLoop(Watchman(context, poll_secs=poll_secs)))

    def stop_claiming(self) -> None:
        """An orchestrator has nothing in hand between two turns."""

    def hasten(self) -> None:
        """An orchestrator ends at once anyway."""

    async def _connect(self) -> None:
        connection = await connect(self.context.database.dsn)
        try:
            with Fuse().on(connection):
                await check_schema(connection, self.context.schema)
        finally:
            await connection.close()

    async def _begin(self) -> None:
        for duty in self._duties:
            duty.start()
        self.context.events.tell(OrchestratorStarted())

    async def _close(self, *, is_hasty: bool) -> None:
        for duty in self._duties:
            await duty.stop()
        if self._is_started:
            self.context.events.tell(OrchestratorStopped())
