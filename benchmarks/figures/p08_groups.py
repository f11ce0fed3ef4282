"""P8: what job groups cost: 500 groups, and a group of its own for every job."""

from __future__ import annotations

from benchmarks import own
from benchmarks.run import Run

TITLE = "grouped jobs, one worker process"
NUM_JOBS = 60_000


def measure(run: Run) -> None:
    """Measure."""
    num = run.size(NUM_JOBS)
    run.take_turns(
        {
            "no groups": lambda: own.rate(run, num),
            "500 groups": lambda: own.rate(run, num, group="'g' || i % 500"),
            "a group each": lambda: own.rate(run, num, group="'g' || i"),
        },
        "jobs/s",
    )
    figure = run.figure
    figure.hold("500 groups to none", figure.median("500 groups"), figure.median("no groups"), goal=0.9)
    figure.hold("a group each to none", figure.median("a group each"), figure.median("no groups"), goal=0.5)
