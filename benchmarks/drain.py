"""How fast a backlog is drained: one default worker process beside the engine loop, in one run.

    python -m benchmarks.drain [--dsn DSN] [--jobs 60000] [--rounds 3] [--groups N] [--snapshot]

Each round drains the same number of no-op jobs twice, by the engine loop and by a worker with default
settings in a process of its own, each from a fresh schema, after VACUUM ANALYZE and a checkpoint; fsync
and history are on. Counted is what is finalized in the database. `--snapshot` holds a repeatable read
snapshot open in another session meanwhile, and prints the rate of each tenth.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import psycopg

from benchmarks import engine
from benchmarks.place import SCHEMA, server
from cuckmq.schema import generate_migration_sql


def prepare(connection: psycopg.Connection[Any], num_jobs: int, num_groups: int) -> None:
    """Make a fresh schema with a backlog in it."""
    connection.execute(f'drop schema if exists "{SCHEMA}" cascade')
    for fragment in generate_migration_sql(SCHEMA):
        connection.execute(fragment.encode())
    connection.execute(f"""select "{SCHEMA}".deploy('noop')""")
    for at in range(0, num_jobs, 5000):
        num = min(5000, num_jobs - at)
        groups = [f"g{each % num_groups}" for each in range(at, at + num)] if num_groups else None
        connection.execute(
            f'select "{SCHEMA}".enqueue_many(%s, %s, %s)', ("noop", ['{"n": 1}'] * num, groups)
        )
    connection.execute("vacuum analyze")
    connection.execute("checkpoint")


def count(connection: psycopg.Connection[Any]) -> int:
    """Count what is finalized."""
    row = connection.execute(f'select count(*) from "{SCHEMA}".finalized').fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def snapshot(dsn: str, *, is_held: bool) -> Iterator[None]:
    """Hold a snapshot open, as a report or a backup does."""
    with ExitStack() as stack:
        if is_held:
            holder = stack.enter_context(psycopg.connect(dsn))
            holder.execute("set transaction isolation level repeatable read")
            holder.execute("select 1")
        yield


def run_engine(connection: psycopg.Connection[Any], num_jobs: int) -> list[float]:
    """Drain by the engine loop; the rate of each tenth."""
    done, tenths, last = 0, [], time.perf_counter()

    def on_batch(num: int) -> None:
        nonlocal done, last
        done += num
        if done >= num_jobs // 10 * (len(tenths) + 1):
            now = time.perf_counter()
            tenths.append(num_jobs / 10 / (now - last))
            last = now

    engine.drain(connection, SCHEMA, on_batch=on_batch)
    assert count(connection) == num_jobs
    return tenths


def run_worker(connection: psycopg.Connection[Any], dsn: str, num_jobs: int, num_workers: int) -> list[float]:
    """Drain by worker processes with default settings; the rate of each tenth, by the times of the jobs.

    The clock starts at the first claim, so that starting Python is not counted.
    """
    workers = [
        subprocess.Popen([sys.executable, "-m", "benchmarks.noop_worker", dsn, SCHEMA])
        for _ in range(num_workers)
    ]
    try:
        while count_fast(connection) < num_jobs:
            time.sleep(0.2)  # counting reads the whole backlog: seldom, so as not to disturb
        assert count(connection) == num_jobs
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
    found = connection.execute(
        f"""
        select extract(epoch from min(claimed_at))::float8, array_agg(
            extract(epoch from finalized_at)::float8 order by finalized_at) from "{SCHEMA}".finalized
        """.encode()
    ).fetchone()
    assert found is not None
    began_at, ended_ats = found
    size = num_jobs // 10
    edges = [began_at, *(ended_ats[(tenth + 1) * size - 1] for tenth in range(10))]
    return [size / (end - begin) for begin, end in pairwise(edges)]


def count_fast(connection: psycopg.Connection[Any]) -> int:
    """Count what is finalized, without reading history each time: all minus what lives."""
    row = connection.execute(
        f'select (select last_value from "{SCHEMA}".job_id_seq) - (select count(*) from "{SCHEMA}".ready)'
        f' - (select count(*) from "{SCHEMA}".waiting) - (select count(*) from "{SCHEMA}".running)'
    ).fetchone()
    assert row is not None
    return int(row[0])


def mean_rate(tenths: list[float]) -> float:
    """The rate over all tenths."""
    return len(tenths) / sum(1 / rate for rate in tenths)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn")
    parser.add_argument("--jobs", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--groups", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--snapshot", action="store_true")
    options = parser.parse_args()
    with server(options.dsn) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("show server_version").fetchone()
        print(f"PostgreSQL {row[0] if row else '?'}, {options.jobs} jobs, {options.groups or 'no'} groups")
        rates: dict[str, list[float]] = {"engine": [], "worker": []}
        for _ in range(options.rounds):
            for who, measured in rates.items():
                prepare(connection, options.jobs, options.groups)
                with snapshot(dsn, is_held=options.snapshot):
                    if who == "engine":
                        tenths = run_engine(connection, options.jobs)
                    else:
                        tenths = run_worker(connection, dsn, options.jobs, options.workers)
                measured.append(mean_rate(tenths))
                print(
                    f"{who:8} {measured[-1]:9,.0f} jobs/s   tenths: "
                    + " ".join(f"{each:,.0f}" for each in tenths)
                )
        medians = {who: statistics.median(each) for who, each in rates.items()}
        print(
            f"median: engine {medians['engine']:,.0f}, worker {medians['worker']:,.0f}, "
            f"ratio {medians['worker'] / medians['engine']:.2f}"
        )
        connection.execute(f'drop schema if exists "{SCHEMA}" cascade')


if __name__ == "__main__":
    main()
