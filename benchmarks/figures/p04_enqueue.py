"""P4: how many jobs a second one producer puts in, one by one, each committed before the next."""

from __future__ import annotations

from functools import partial

from benchmarks import bare
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import System, placed
from benchmarks.run import Run

TITLE = "enqueue one by one"
NUM_JOBS = 2_000


def trickle(run: Run, system: System) -> float:
    """Put in one by one; jobs a second."""
    num = run.size(NUM_JOBS, minimum=50)
    with placed(system, run.dsn) as place:
        place.settle()
        return num / float(place.tell("trickle", num))


def measure(run: Run) -> None:
    """Measure."""
    num = run.size(NUM_JOBS, minimum=50)
    run.take_turns(
        {
            "a bare INSERT": lambda: bare.insert_rate(run.dsn, num),
            **{system.name: partial(trickle, run, system) for system in (OURS, *run.peers)},
        },
        "jobs/s",
    )
    figure = run.figure
    ours = figure.median("cuckmq")
    figure.hold("a bare INSERT ... RETURNING", ours, figure.median("a bare INSERT"), goal=0.9)
    best = figure.best([peer.name for peer in run.peers if peer.remaining])
    figure.hold("the best Postgres peer", ours, best, goal=1.0)
