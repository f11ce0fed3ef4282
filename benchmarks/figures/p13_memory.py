"""P13: the memory of a worker through a million jobs."""

from __future__ import annotations

import re
import time
from pathlib import Path

from benchmarks import own
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import placed
from benchmarks.run import Run

TITLE = "memory of a worker, 1,000,000 jobs"
NUM_JOBS = 1_000_000
WARM_PART = 0.2


def resident_mb(pid: int) -> float:
    """Return what a process has in memory, in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1000


def watch(run: Run) -> None:
    """Drain, and look at the memory on the way."""
    num_jobs = run.size(NUM_JOBS)
    with placed(OURS, run.dsn) as place:
        own.fill(place, num_jobs)
        place.settle()
        worker = place.start_worker()
        warm: list[float] = []
        deadline = time.monotonic() + 240
        while (num := place.num_marked()) < num_jobs:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{num} of {num_jobs} jobs in 240 s")
            if num >= WARM_PART * num_jobs:
                warm.append(resident_mb(worker.pid))
            time.sleep(0.1)
        warm.append(resident_mb(worker.pid))
        run.figure.note("after a fifth", warm[0], "MB")
        run.figure.note("at the end", warm[-1], "MB")
        run.figure.note("at most", max(warm), "MB")


def measure(run: Run) -> None:
    """Measure."""
    run.take_turns_noting({"watch": lambda: watch(run)}, num_rounds=1)
    figure = run.figure
    figure.hold("MB at most", figure.median("at most"), goal=100, at_most=True)
    figure.hold(
        "the end to a fifth",
        figure.median("at the end"),
        figure.median("after a fifth"),
        goal=1.1,
        at_most=True,
    )
