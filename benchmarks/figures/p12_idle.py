"""P12: what 50 idle workers cost: queries, WAL and processor time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import ROOT, placed
from benchmarks.run import Run

TITLE = "50 idle workers"
NUM_WORKERS = 50
SETTLE_SECS = 12.0
WATCH_SECS = 20.0
TICKS_PER_SEC: Final = os.sysconf("SC_CLK_TCK")


def watch(run: Run) -> None:
    """Start them, and watch for a while."""
    num = run.size(NUM_WORKERS, minimum=2)
    watch_secs = max(3.0, WATCH_SECS * min(run.scale, 1))
    with placed(OURS, run.dsn) as place:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.idlers", str(num)],
            env={**os.environ, "BENCH_DSN": place.dsn}, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "up\n":
                raise RuntimeError("the workers did not start")
            time.sleep(min(SETTLE_SECS, watch_secs))  # what they do once, at their start, is not idleness
            before = costs(place.connection, process.pid)
            time.sleep(watch_secs)
            after = costs(place.connection, process.pid)
        finally:
            process.kill()
            process.wait()
        queries, wal_bytes, cpu_secs = (
            (now - then) / watch_secs / num for then, now in zip(before, after, strict=True)
        )
        run.figure.note("queries a worker", queries, "1/s")
        run.figure.note("WAL a worker", wal_bytes, "bytes/s")
        run.figure.note("processor of the client a worker", cpu_secs * 100, "% of a core")


def costs(connection: psycopg.Connection[Any], pid: int) -> tuple[float, float, float]:
    """Read the counters: transactions, bytes of WAL, seconds of processor time."""
    row = connection.execute(
        "select pg_stat_clear_snapshot(), xact_commit + xact_rollback, pg_current_wal_lsn() - '0/0'"
        " from pg_stat_database where datname = current_database()"
    ).fetchone()
    assert row is not None
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return float(row[1]), float(row[2]), (int(fields[11]) + int(fields[12])) / TICKS_PER_SEC


def measure(run: Run) -> None:
    """Measure."""
    run.take_turns_noting({"watch": lambda: watch(run)}, num_rounds=1)
    figure = run.figure
    figure.hold("queries/s a worker", figure.median("queries a worker"), goal=1.0, at_most=True)
    figure.hold("WAL bytes/s a worker", figure.median("WAL a worker"), goal=500, at_most=True)
    figure.hold(
        "% of a core a worker", figure.median("processor of the client a worker"), goal=0.5, at_most=True
    )
