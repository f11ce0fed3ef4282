"""Statistics and gauges: what was counted, and what stands where now. See record_stats.sql, purge_stats.sql.

The gauges count up to LIMIT entries of a channel in each place and no further, along indexes, so that a long
queue costs no more to look at than one of that length.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from cuckmq.protocol.statement import Statement, only

LIMIT: Final = 10_000

RECORD: Final = "select {schema}.record_stats(%s::json)"
PURGE: Final = "select {schema}.purge_stats(%s::float8)::text"
READ: Final = """
    select s.minute_at, c.name, d.name, s.num_succeeded, s.num_failed, s.num_cancelled, s.num_errors,
        s.num_snoozed, s.num_lost, s.run_secs, s.wait_secs, s.run_histogram, s.wait_histogram
    from {schema}.stat s
    join {schema}.channel c on c.id = s.channel_id
    join {schema}.job_definition d on d.id = s.definition_id
    where s.minute_at >= date_trunc('minute', %s::timestamptz)
        and (%s::timestamptz is null or s.minute_at < %s::timestamptz)
        and (%s::text is null or c.name = %s::text) and (%s::text is null or d.name = %s::text)
    order by s.minute_at, c.name, d.name
"""
CHANNEL: Final = "select {schema}.lanes_of(%s)"
WORKERS: Final = """
    select count(*), count(*) filter (where w.id <> all(array(select r.worker_id from {schema}.running r))),
        (select count(*) from {schema}.worker_loss l where l.lost_at >= %s::timestamptz)
    from {schema}.worker w where not w.is_lost
"""
CHANNELS: Final = """
    select c.name, coalesce(sum(n.num_queued), 0)::bigint, coalesce(sum(n.num_scheduled), 0)::bigint,
        extract(epoch from clock_timestamp() - min(n.oldest_at))::float8,
        extract(epoch from clock_timestamp() - min(n.due_at))::float8, min(n.due_at),
        (select count(*) from {schema}.running r
            join {schema}.lane l on l.id = r.lane_id where l.channel_id = c.id)
    from {schema}.channel c
    left join {schema}.lane l on l.channel_id = c.id
    left join lateral {schema}.gauge_lane(l.id, %s) n on l.id is not null
    where c.destroyed_at is null group by c.id order by c.name
"""
SCHEDULES: Final = """
    select min(s.next_at),
        extract(epoch from clock_timestamp() - min(s.next_at))::float8 from {schema}.schedule s
"""
RUNNING: Final = """
    select r.job_id, d.name, r.worker_id, r.attempt,
        extract(epoch from clock_timestamp() - r.claimed_at)::float8
    from {schema}.running r join {schema}.job_definition d on d.id = r.definition_id
    order by r.claimed_at, r.job_id limit %s
"""


class WorkerCounts(NamedTuple):
    """How many workers live, hold nothing, and were lost since a moment."""

    num_workers: int
    num_idle: int
    num_lost: int


class ChannelGauge(NamedTuple):
    """What stands in a channel.

    Attributes:
        name: of the channel.
        num_queued: jobs that may run; counted up to 10,000 in each lane.
        num_scheduled: jobs that may not run yet; counted likewise.
        latency_secs: how long the first in line has waited; None when nobody stands there.
        lateness_secs: how late the first scheduled job is that nobody has moved into line; 0 if none is late,
            None when none is scheduled.
        next_at: when the next scheduled job comes due.
        num_running: jobs that workers hold.
    """

    name: str
    num_queued: int
    num_scheduled: int
    latency_secs: float | None
    lateness_secs: float | None
    next_at: datetime | None
    num_running: int


class ScheduleGauge(NamedTuple):
    """When the next schedule is due, and how late the latest is."""

    next_at: datetime | None
    lateness_secs: float | None


class RunningJob(NamedTuple):
    """A job that a worker holds, and for how long."""

    job_id: int
    name: str
    worker_id: int
    attempt: int
    age_secs: float


def record_stats(tallies: str) -> Statement[datetime]:
    """Add what was counted; one row, of the database's time."""
    return Statement(RECORD, (tallies,), only)


def purge_stats(*, older_than_secs: float) -> Statement[str]:
    """Delete old statistics; one row."""
    return Statement(PURGE, (older_than_secs,), only)


def read_stats(
    *, since: datetime, until: datetime | None, channel: str | None, definition: str | None
) -> Statement[tuple[Any, ...]]:
    """Read statistics; a row per minute, channel and definition."""
    return Statement(READ, (since, until, until, channel, channel, definition, definition), tuple)


def check_channel(name: str) -> Statement[list[int]]:
    """Look whether there is such a channel; one row, of its lanes.

    Raises, when run:
        ChannelNotFound: nobody ever named it.
    """
    return Statement(CHANNEL, (name,), only)


def count_workers(since: datetime) -> Statement[WorkerCounts]:
    """Count workers; one row."""
    return Statement(WORKERS, (since,), WorkerCounts._make)


def gauge_channels() -> Statement[ChannelGauge]:
    """Look at what stands in each channel; a row each."""
    return Statement(CHANNELS, (LIMIT,), _channel)


def gauge_schedules() -> Statement[ScheduleGauge]:
    """Look at the next moment of all schedules; one row."""
    return Statement(SCHEDULES, (), _schedules)


def find_running(limit: int) -> Statement[RunningJob]:
    """Find the jobs that run, the longest first. Reads every entry in `running`."""
    return Statement(RUNNING, (limit,), RunningJob._make)


def _channel(row: tuple[Any, ...]) -> ChannelGauge:
    gauge = ChannelGauge._make(row)
    return gauge._replace(latency_secs=_past(gauge.latency_secs), lateness_secs=_past(gauge.lateness_secs))


def _schedules(row: tuple[Any, ...]) -> ScheduleGauge:
    gauge = ScheduleGauge._make(row)
    return gauge._replace(lateness_secs=_past(gauge.lateness_secs))


def _past(secs: float | None) -> float | None:
    """Read how long ago something was: not at all, if it is still to come."""
    return None if secs is None else max(0.0, secs)
