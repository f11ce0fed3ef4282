"""P2: how fast two worker processes drain a backlog."""

from __future__ import annotations

from functools import partial

from benchmarks.figures.p01_drain import contestants, drain
from benchmarks.peers.roster import OURS
from benchmarks.run import Run

TITLE = "drain, two worker processes"
NUM_WORKERS = 2


def measure(run: Run) -> None:
    """Measure."""
    both = contestants(run, NUM_WORKERS, ("best",))
    both["cuckmq default"] = partial(drain, run, OURS, "default", NUM_WORKERS)
    run.take_turns({"cuckmq, one process": partial(drain, run, OURS, "default", 1), **both}, "jobs/s")
    ours = run.figure.median("cuckmq default")
    run.figure.hold("one process", ours, run.figure.median("cuckmq, one process"), goal=1.4)
    run.figure.hold(
        "graphile-worker's two at their best", ours, run.figure.median("graphile-worker best"), goal=1.8
    )
