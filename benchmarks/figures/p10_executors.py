"""P10: sync functions in threads, and in processes of their own."""

from __future__ import annotations

from benchmarks import own
from benchmarks.run import Run

TITLE = "sync functions: threads, and processes"
NUM_ASYNC = 60_000
NUM_THREADS = 30_000
NUM_PROCESSES = 10_000


def measure(run: Run) -> None:
    """Measure."""
    run.take_turns(
        {
            "async": lambda: own.rate(run, run.size(NUM_ASYNC)),
            "threads": lambda: own.rate(run, run.size(NUM_THREADS), definition="bench_thread"),
        },
        "jobs/s",
    )
    run.take_turns({"processes": lambda: processes(run)}, "jobs/s")
    figure = run.figure
    figure.hold("threads to async", figure.median("threads"), figure.median("async"), goal=0.4)
    figure.hold("jobs/s in processes", figure.median("processes"), goal=3_000)


def processes(run: Run) -> float:
    """Drain jobs that run in processes of their own; jobs a second."""
    return own.rate(run, run.size(NUM_PROCESSES), definition="bench_process")
