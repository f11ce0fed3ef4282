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
    rival = [peer for peer in run.peers if peer.name == "graphile-worker"]
    run.take_turns(
        {
            "cuckmq, one process": partial(drain, run, OURS, "default", 1),
            **contestants(run, NUM_WORKERS, "default", [OURS]),
            **contestants(run, NUM_WORKERS, "best", rival),
        },
        "jobs/s",
    )
    # No goal is about these: one round tells where they stand.
    others = [OURS, *(peer for peer in run.peers if peer not in rival)]
    run.take_turns(contestants(run, NUM_WORKERS, "best", others), "jobs/s", num_rounds=1)
    ours = run.figure.median("cuckmq default")
    run.figure.hold("one process", ours, run.figure.median("cuckmq, one process"), goal=1.4)
    run.figure.hold(
        "graphile-worker's two at their best", ours, run.figure.median("graphile-worker best"), goal=1.8
    )
