"""P14: what a purge of a million ended jobs costs those that are run meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks import own
from benchmarks.peers.own_jobs import SCHEMA
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import ROOT, Place, drain_rate, placed
from benchmarks.run import Run

TITLE = "drain while 1,000,000 ended jobs are purged"
NUM_ENDED = 1_000_000
NUM_JOBS = 100_000


def add_history(place: Place, num: int) -> None:
    """Make jobs that ended two days ago, as a worker would have left them."""
    place.connection.execute(
        f"""
        with letter as (
            insert into "{SCHEMA}".job
                (id, definition_id, lane_id, num_attempts, num_stalls, run_at, created_at, payload)
            select "{SCHEMA}".id_base() + i, d.id, d.lane_id, 1, 1, t.at, t.at, '{{"n": 1}}'
            from generate_series(1, %s) i,
                lateral (select now() - interval '2 days' + i * interval '1 millisecond') t (at),
                "{SCHEMA}".job_definition d
            where d.name = 'bench'
            returning id, definition_id, lane_id, run_at
        )
        insert into "{SCHEMA}".finalized (job_id, definition_id, lane_id, attempt, worker_id, claimed_at,
            finalized_at, state, result, is_tied)
        select id, definition_id, lane_id, 1, 1, run_at, run_at, 'succeeded', 'null', false from letter
        """.encode(),
        (num,),
    )
    place.connection.execute(f"""select setval('"{SCHEMA}".job_id_seq', %s)""".encode(), (num,))


def drain(run: Run, *, is_purged: bool) -> float:
    """Drain, with an orchestrator that purges beside it or with the history left alone; jobs a second."""
    num_ended, num_jobs = run.size(NUM_ENDED), run.size(NUM_JOBS)
    with placed(OURS, run.dsn) as place:
        add_history(place, num_ended)
        own.fill(place, num_jobs)
        orchestrator = (
            subprocess.Popen(
                [sys.executable, "-m", "cuckmq", "orchestrator", "benchmarks.peers.own_jobs:context"],
                env={**os.environ, "BENCH_DSN": place.dsn}, cwd=ROOT,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            if is_purged
            else None
        )  # fmt: skip
        try:
            rate = drain_rate(place, num_jobs)
        finally:
            if orchestrator is not None:
                orchestrator.kill()
                orchestrator.wait()
        row = place.connection.execute(f'select count(*) from "{SCHEMA}".finalized'.encode()).fetchone()
        assert row is not None
        if is_purged:
            num_purged = num_ended + num_jobs - row[0]
            if not num_purged:
                raise RuntimeError("the orchestrator purged nothing meanwhile")
            run.figure.note("purged meanwhile", num_purged, "jobs")
        return rate


def measure(run: Run) -> None:
    """Measure."""
    run.take_turns(
        {
            "history left alone": lambda: drain(run, is_purged=False),
            "history being purged": lambda: drain(run, is_purged=True),
        },
        "jobs/s",
        num_rounds=min(2, run.num_rounds),
    )
    figure = run.figure
    figure.hold(
        "purging to not",
        figure.median("history being purged"),
        figure.median("history left alone"),
        goal=0.85,
    )
