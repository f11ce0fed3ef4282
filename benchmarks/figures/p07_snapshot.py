"""P7: whether a snapshot that is held open elsewhere slows the drain down as it goes on."""

from __future__ import annotations

from benchmarks import own
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import placed
from benchmarks.run import Run

TITLE = "500,000 jobs drained while a snapshot is held"
NUM_JOBS = 500_000


def drain(run: Run) -> None:
    """Drain under a snapshot; note the first tenth and the last."""
    num_jobs = run.size(NUM_JOBS)
    with placed(OURS, run.dsn) as place:
        own.fill(place, num_jobs)
        with own.held_snapshot(place):
            for number, rate in enumerate(own.rates_by_tenth(place, num_jobs, secs=180), start=1):
                run.figure.note(f"tenth {number}", rate, "jobs/s")


def measure(run: Run) -> None:
    """Measure."""
    run.take_turns_noting({"drain": lambda: drain(run)}, num_rounds=1)
    run.figure.hold(
        "last tenth to first", run.figure.median("tenth 10"), run.figure.median("tenth 1"), goal=0.85
    )
