"""Figures about a queue, for charts and alarms: what was counted each minute, and what stands where now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cuckmq.database.database import Database
from cuckmq.errors import DefinitionNotFound
from cuckmq.histogram import percentile
from cuckmq.protocol import stat
from cuckmq.protocol.deploy import find_definitions
from cuckmq.types import as_moment

RECENT: Final = timedelta(hours=1)
MAX_RUNNING: Final = 1_000


@dataclass(frozen=True, slots=True)
class Distribution:
    """How long something took: the sum, and the counts by power of two (see cuckmq.histogram)."""

    sum_secs: float
    histogram: tuple[int, ...]

    @property
    def p50_secs(self) -> float | None:
        """Half of them took less; None when there were none."""
        return percentile(self.histogram, 50)

    @property
    def p95_secs(self) -> float | None:
        """95 percent took less."""
        return percentile(self.histogram, 95)

    @property
    def p99_secs(self) -> float | None:
        """99 percent took less."""
        return percentile(self.histogram, 99)


@dataclass(frozen=True, slots=True)
class Stat:
    """What workers have counted in one minute, for one channel and definition.

    Attributes:
        minute_at: when the minute began in which it was written down, up to 5 s after it happened.
        channel: where the jobs stood.
        definition: what they were.
        num_succeeded: jobs that succeeded.
        num_failed: jobs that failed for good.
        num_cancelled: jobs whose attempt ended as cancelled.
        num_errors: attempts that came to an error and are tried again.
        num_snoozed: attempts that asked to run later.
        num_lost: attempts whose outcome was dropped, since the job had been given to another worker.
        run: how long attempts ran.
        wait: how long jobs stood in line, from the moment from which they might run to their claim.
    """

    minute_at: datetime
    channel: str
    definition: str
    num_succeeded: int
    num_failed: int
    num_cancelled: int
    num_errors: int
    num_snoozed: int
    num_lost: int
    run: Distribution
    wait: Distribution


@dataclass(frozen=True, slots=True)
class Gauges:
    """What stands where, as it was found.

    Attributes:
        workers: how many live, are idle, and were lost since the moment asked for.
        channels: what stands in each.
        schedules: the next moment of all, and its lateness.
        running: the jobs that run, the longest first, up to 1,000 of them.
    """

    workers: stat.WorkerCounts
    channels: tuple[stat.ChannelGauge, ...]
    schedules: stat.ScheduleGauge
    running: tuple[stat.RunningJob, ...]


class Stats:
    """The figures of a context's queue: `context.stats`. The same in any process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        channel: str | None = None,
        definition: str | None = None,
    ) -> list[Stat]:
        """Read what workers have counted, by minute, channel and definition. Reads no job.

        Workers write down what they have counted every 5 s and when they stop; what a worker that crashes
        has not written is missing. Statistics are no promise: count jobs where it must be exact.

        Args:
            since: from the minute of that moment on; by default the last hour.
            until: to the minutes that begin before that moment.
            channel: of this one only.
            definition: of this one only.

        Raises:
            ConfigurationError: a moment is none, or has no time zone.
            ChannelNotFound, DefinitionNotFound: nobody ever named or deployed that.
        """
        if channel is not None:
            await self._database.run(stat.check_channel(channel))
        if definition is not None and not await self._database.run(find_definitions([definition])):
            raise DefinitionNotFound(
                f"there is no job definition {definition!r}: deploy it first, or look for a typing error"
            )
        rows = await self._database.run(
            stat.read_stats(
                since=_since(since),
                until=None if until is None else as_moment("until", until),
                channel=channel,
                definition=definition,
            )
        )
        return [_stat(row) for row in rows]

    async def now(self, *, since: datetime | None = None) -> Gauges:
        """Look at what stands where.

        Counts up to 10,000 entries of each place in a lane, reads the head of each lane, and every entry
        of `running`.

        Args:
            since: from when to count lost workers; by default the last hour.

        Raises:
            ConfigurationError: the moment is none, or has no time zone.
        """
        run = self._database.run
        (workers,) = await run(stat.count_workers(_since(since)))
        (schedules,) = await run(stat.gauge_schedules())
        return Gauges(
            workers,
            tuple(await run(stat.gauge_channels())),
            schedules,
            tuple(await run(stat.find_running(MAX_RUNNING))),
        )


def _since(since: datetime | None) -> datetime:
    return datetime.now(UTC) - RECENT if since is None else as_moment("since", since)


def _stat(row: tuple[Any, ...]) -> Stat:
    minute_at, channel, definition, *counts = row[:9]
    succeeded, failed, cancelled, errors, snoozed, lost = counts
    run_secs, wait_secs, run_histogram, wait_histogram = row[9:]
    run = Distribution(run_secs, tuple(run_histogram))
    wait = Distribution(wait_secs, tuple(wait_histogram))
    return Stat(
        minute_at, channel, definition, succeeded, failed, cancelled, errors, snoozed, lost, run, wait
    )
