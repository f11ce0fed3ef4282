"""P11: a long backlog of slow jobs, 100 ms each, 50 at once: the clock allows 500 a second and no more."""

from __future__ import annotations

import time
from functools import partial

from benchmarks import own
from benchmarks.peers.own_jobs import SLOW_SECS
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import placed
from benchmarks.run import Run

TITLE = "slow jobs, 100 ms, 50 at once"
NUM_JOBS = 5_000
CONCURRENCY = 50
NUM_BATCHES_CUT = 2
"""The first fifties and the last are not counted: starting and ending are not a backlog."""


def slow_rate(run: Run, num_workers: int) -> float:
    """Drain the middle of a backlog; jobs a second."""
    num_jobs = run.size(NUM_JOBS, minimum=600) * num_workers
    with placed(OURS, run.dsn, "slow") as place:
        own.fill(place, num_jobs, definition="bench_slow")
        place.settle()
        for _ in range(num_workers):
            place.start_worker()
        place.wait_for(num_jobs, 120)
        by_worker = [[mark.at_ns for mark in marks] for marks in place.marks()]
        began_ns = max(min(marks) for marks in by_worker) + NUM_BATCHES_CUT * SLOW_SECS * 1e9
        ended_ns = min(max(marks) for marks in by_worker) - NUM_BATCHES_CUT * SLOW_SECS * 1e9
        num = sum(began_ns <= at_ns < ended_ns for marks in by_worker for at_ns in marks)
        return num / ((ended_ns - began_ns) / 1e9)


def share_rate(run: Run) -> float:
    """Two workers, and no more jobs than both can run at once; the part that began within half a job's time.

    A worker that kept jobs in its memory while the other was idle would have begun them later.
    """
    num_jobs = 2 * CONCURRENCY
    with placed(OURS, run.dsn, "slow") as place:
        for _ in range(2):
            place.start_worker()
        before = 0
        while not all(place.marks()):  # until both are up, and have learnt how long these jobs take
            own.fill(place, num_jobs, definition="bench_slow")
            before += num_jobs
            place.wait_for(before, 30)
        time.sleep(3 * SLOW_SECS)  # until what has begun is over: two that are out of step would stay so
        own.fill(place, num_jobs, definition="bench_slow")
        place.wait_for(before + num_jobs, 30)
        starts = sorted(mark.at_ns for marks in place.marks() for mark in marks)[before:]
        return sum(at_ns - starts[0] < SLOW_SECS / 2 * 1e9 for at_ns in starts) / num_jobs


def measure(run: Run) -> None:
    """Measure."""
    ideal = CONCURRENCY / SLOW_SECS
    run.take_turns(
        {"one worker": partial(slow_rate, run, 1), "two workers": partial(slow_rate, run, 2)},
        "jobs/s",
        num_rounds=1,
    )
    run.take_turns({"begun at once by two workers": partial(share_rate, run)}, "of all")
    figure = run.figure
    figure.hold("the ideal 500 jobs/s", figure.median("one worker"), ideal, goal=0.97)
    figure.hold("the ideal 1,000 of two workers", figure.median("two workers"), 2 * ideal, goal=0.97)
    figure.hold("begun at once by two workers", figure.median("begun at once by two workers"), goal=0.97)
