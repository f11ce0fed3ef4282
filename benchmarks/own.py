"""Our own queue in a measurement: filled by SQL to any size, drained by workers or by the engine loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import psycopg

from benchmarks import engine
from benchmarks.peers.own_jobs import SCHEMA
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import Place, drain_rate, placed
from benchmarks.run import Run

CHUNK = 10_000


def fill(
    place: Place, num_jobs: int, *, definition: str = "bench", group: str = "null", options: str = ""
) -> None:
    """Put in jobs by SQL; `group` is an expression of i, and `options` are further arguments."""
    groups = "null" if group == "null" else f"array_agg(({group.replace('%', '%%')})::text order by i)"
    for at in range(0, num_jobs, CHUNK):
        place.connection.execute(
            f"""
            select "{SCHEMA}".enqueue_many(%s, array_agg('{{"n": 1}}'::text), {groups}{options})
            from generate_series({at}, {min(at + CHUNK, num_jobs) - 1}) i
            """.encode(),
            (definition,),
        )


def rate(
    run: Run,
    num_jobs: int,
    *,
    definition: str = "bench",
    group: str = "null",
    setting: str = "default",
    num_workers: int = 1,
) -> float:
    """Drain so many jobs in a fresh database by default workers; jobs a second."""
    with placed(OURS, run.dsn, setting) as place:
        fill(place, num_jobs, definition=definition, group=group)
        return drain_rate(place, num_jobs, num_workers)


def engine_rate(run: Run, num_jobs: int, *, group: str = "null") -> float:
    """Drain the same by the engine loop."""
    with placed(OURS, run.dsn) as place:
        fill(place, num_jobs, group=group)
        place.settle()
        return num_jobs / engine.drain(place.connection, SCHEMA)


def rates_by_tenth(place: Place, num_jobs: int, *, secs: float) -> list[float]:
    """Drain what was put in with one default worker; the rate of each tenth."""
    place.settle()
    place.start_worker()
    place.wait_for(num_jobs, secs)
    (marks,) = place.marks()
    size = num_jobs // 10
    edges = [marks[min(at * size, num_jobs - 1)].at_ns for at in range(11)]
    return [size / ((end - begin) / 1e9) for begin, end in pairwise(edges)]


@contextmanager
def held_snapshot(place: Place) -> Iterator[None]:
    """Hold a snapshot open, as a report or a backup does."""
    with psycopg.connect(place.dsn) as holder:
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select 1")
        yield


def wait_until_idle(place: Place, secs: float = 20.0) -> None:
    """Wait for a first job to go through, so that the worker is known to be up and waiting."""
    before = place.num_marked()
    fill(place, 1)
    place.wait_for(before + 1, secs)
    time.sleep(0.5)
