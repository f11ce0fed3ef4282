"""Look at what stands around the jobs, without changing anything: workers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from cuckmq.protocol.statement import Statement

WORKERS: Final = """
    select w.id, w.name, w.host, w.pid, w.version, w.concurrency, w.channels, w.started_at, w.heartbeat_at,
        coalesce(r.num_running, 0),
        not w.is_lost and clock_timestamp() - greatest(w.heartbeat_at, pg_postmaster_start_time())
            <= w.lease_secs * interval '1 second'
    from {schema}.worker w
    left join (
        select worker_id, count(*) as num_running from {schema}.running group by worker_id
    ) r on r.worker_id = w.id
    where %s::bigint is null or w.id = %s::bigint
    order by w.id
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


def find_workers(worker_id: int | None = None) -> Statement[WorkerInfo]:
    """Find all workers, or the one of that id, oldest first. Reads every entry in `running`, once."""
    return Statement(WORKERS, (worker_id, worker_id), _worker)


def _worker(row: tuple[Any, ...]) -> WorkerInfo:
    info = WorkerInfo(*row)
    return info if info.channels is None else replace(info, channels=tuple(info.channels))
