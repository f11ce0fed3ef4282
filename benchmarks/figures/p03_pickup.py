"""P3: how soon an idle worker begins a job; 20 jobs a second, from before each enqueue to its start."""

from __future__ import annotations

import statistics
from functools import partial

from benchmarks import bare
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import System, placed
from benchmarks.run import Run

TITLE = "pickup by an idle worker, 20 jobs/s"
PER_SEC = 20
NUM_JOBS = 200
MAX_ROUNDS = 3  # each takes ten seconds of waiting


def note(run: Run, name: str, waits: list[float]) -> None:
    """Take down the median and the worst of these waits."""
    for percent in (50, 95, 99):
        value = statistics.quantiles(waits, n=100, method="inclusive")[percent - 1]
        run.figure.note(f"{name} p{percent}", value * 1000, "ms")


def pick_up(run: Run, system: System, setting: str) -> None:
    """Measure a system."""
    with placed(system, run.dsn, setting) as place:
        place.start_worker()
        place.tell("fill", 1)
        place.wait_for(1, 20)
        place.settle()
        note(run, system.name, place.tick(run.size(NUM_JOBS, minimum=20), PER_SEC))


def measure(run: Run) -> None:
    """Measure."""
    num = run.size(NUM_JOBS, minimum=20)
    run.take_turns_noting(
        {
            "a bare INSERT and NOTIFY": lambda: note(
                run, "a bare INSERT and NOTIFY", bare.notify_waits(run.dsn, num, PER_SEC)
            ),
            "cuckmq": partial(pick_up, run, OURS, "default"),
            **{peer.name: partial(pick_up, run, peer, "best") for peer in run.peers},
        },
        num_rounds=min(MAX_ROUNDS, run.num_rounds),
    )
    figure = run.figure
    figure.hold(
        "p50 to a bare INSERT and NOTIFY",
        figure.median("cuckmq p50"), figure.median("a bare INSERT and NOTIFY p50"), goal=1.5, at_most=True,
    )  # fmt: skip
    figure.hold("p99 in ms", figure.median("cuckmq p99"), goal=10, at_most=True)
    best = figure.best([f"{peer.name} p50" for peer in run.peers if peer.remaining], of=min)
    figure.hold("p50 to the best Postgres peer", figure.median("cuckmq p50"), best, goal=1.0, at_most=True)
