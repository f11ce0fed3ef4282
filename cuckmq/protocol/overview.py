"""Look at what stands around the jobs, without changing anything: workers, channels, schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cuckmq.limits import Limits
from cuckmq.protocol.limits import as_limits
from cuckmq.protocol.statement import Statement
from cuckmq.recurrence import Missed, Overlap
from cuckmq.state import JobState

WORKERS: Final = """
    select w.id, w.name, w.host, w.pid, w.version, w.concurrency, w.channels, w.started_at, w.heartbeat_at,
        coalesce(r.num_running, 0),
        not w.is_lost and clock_timestamp() - greatest(w.heartbeat_at, pg_postmaster_start_time())
            <= w.lease_secs * interval '1 second',
        w.latency_secs
    from {schema}.worker w
    left join (
        select worker_id, count(*) as num_running from {schema}.running group by worker_id
    ) r on r.worker_id = w.id
    where %s::bigint is null or w.id = %s::bigint
    order by w.id
"""
CHANNELS: Final = """
    with entry (lane_id, state, num) as (
        select lane_id, 'scheduled', count(*)
        from {schema}.scheduled where job_id is not null group by lane_id
        union all
        select lane_id, 'queued', count(*) from {schema}.ready where job_id is not null group by lane_id
        union all
        select lane_id, 'queued', count(*) from {schema}.waiting group by lane_id
        union all
        select j.lane_id, 'blocked', count(*)
        from {schema}.blocked b join {schema}.job j on j.id = b.job_id group by j.lane_id
        union all
        select lane_id, 'running', count(*) from {schema}.running group by lane_id
        union all
        select lane_id, state, count(*) from {schema}.finalized group by lane_id, state
    ), counted as (
        select l.channel_id, e.state, sum(e.num)::bigint as num
        from entry e join {schema}.lane l on l.id = e.lane_id group by l.channel_id, e.state
    )
    select c.name, coalesce(jsonb_object_agg(n.state, n.num) filter (where n.state is not null), '{}'),
        c.is_paused, q.concurrency, q.rate, q.rate_secs, c.max_size
    from {schema}.channel c
    left join {schema}.quota q on q.channel_id = c.id
    left join counted n on n.channel_id = c.id
    where c.destroyed_at is null and (%s::text is null or c.name = %s::text)
    group by c.id, q.id order by c.name
"""
SCHEDULES: Final = """
    select name, definition, repeat_secs, cron, timezone, missed, overlap, payload::text,
        is_paused, next_at, last_at
    from {schema}.list_schedules(%s)
"""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A running worker, as it was found.

    Attributes:
        id: of this run of it; a worker that registers anew has another.
        name: as it was given.
        host: where it runs.
        pid: its process there.
        version: of its library.
        concurrency: how many jobs it runs at once.
        channels: which it serves; None for all.
        started_at: when it registered.
        heartbeat_at: when it last beat, by the database's clock.
        num_running: how many jobs it holds: those that run, and those it has claimed ahead.
        is_alive: whether its lease holds. One whose lease is over is about to be rescued.
        latency_secs: how long the beat before the last took to be answered; None before the second.
    """

    id: int
    name: str
    host: str
    pid: int
    version: str
    concurrency: int
    channels: tuple[str, ...] | None
    started_at: datetime
    heartbeat_at: datetime
    num_running: int
    is_alive: bool
    latency_secs: float | None


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel, as it was found.

    Attributes:
        name: as definitions, jobs and workers name it.
        counts: how many of its jobs are in each state, those that have none included.
        is_paused: whether nobody claims from it.
        limits: what may be taken from it.
        max_size: how many jobs may stand in it; None for no limit.
    """

    name: str
    counts: Mapping[JobState, int]
    is_paused: bool
    limits: Limits
    max_size: int | None


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """A rhythm, and the job it puts in.

    Attributes:
        name: its own; of one that its definition declares, the definition's.
        definition: of the jobs it puts in.
        repeat_secs: a job each so many seconds; None when it goes by cron.
        cron: a job at the moments of this expression.
        timezone: on whose clock the expression is read.
        missed: what becomes of moments that came while nobody ticked.
        overlap: what becomes of a moment while the job of the one before is live.
        payload: of its jobs, as JSON text; None for a role that may read no payloads.
        is_paused: whether it puts in nothing for a while.
        next_at: the next moment; one that is past waits for an orchestrator.
        last_at: the last moment that had a job; None before the first.
    """

    name: str
    definition: str
    repeat_secs: float | None
    cron: str | None
    timezone: str
    missed: Missed
    overlap: Overlap
    payload: str | None
    is_paused: bool
    next_at: datetime
    last_at: datetime | None


def find_workers(worker_id: int | None = None) -> Statement[WorkerInfo]:
    """Find all workers, or the one of that id, oldest first. Reads every entry in `running`, once."""
    return Statement(WORKERS, (worker_id, worker_id), _worker)


def find_channels(name: str | None = None) -> Statement[ChannelInfo]:
    """Find all channels, or the one of that name, by name. Reads every entry, and all of history."""
    return Statement(CHANNELS, (name, name), _channel)


def find_schedules(name: str | None = None) -> Statement[ScheduleInfo]:
    """Find all schedules, or the one of that name, by name."""
    return Statement(SCHEDULES, (name,), lambda row: ScheduleInfo(*row))


def _worker(row: tuple[Any, ...]) -> WorkerInfo:
    info = WorkerInfo(*row)
    return info if info.channels is None else replace(info, channels=tuple(info.channels))


def _channel(row: tuple[Any, ...]) -> ChannelInfo:
    name, counts, is_paused, concurrency, rate, rate_secs, max_size = row
    return ChannelInfo(
        name,
        MappingProxyType({state: counts.get(state.value, 0) for state in JobState}),
        is_paused,
        as_limits(concurrency, rate, rate_secs),
        max_size,
    )
