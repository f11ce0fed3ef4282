"""P5: how many jobs a second are put in at once."""

from __future__ import annotations

import time
from functools import partial

from benchmarks.peers.own_jobs import SCHEMA
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import System, placed
from benchmarks.run import Run

TITLE = "enqueue many, 50,000 at once"


def bulk(run: Run, system: System) -> float:
    """Put in many by the system's quickest way; jobs a second."""
    num = run.size(system.num_many)
    with placed(system, run.dsn) as place:
        place.settle()
        return num / float(place.tell("fill", num))


def raw(run: Run) -> float:
    """Feed our function raw arrays; jobs a second."""
    num = run.size(OURS.num_many)
    with placed(OURS, run.dsn) as place:
        place.settle()
        payloads = ['{"n": 1}'] * num
        began_at = time.perf_counter()
        place.connection.execute(f'select "{SCHEMA}".enqueue_many(%s, %s)'.encode(), ("bench", payloads))
        return num / (time.perf_counter() - began_at)


def measure(run: Run) -> None:
    """Measure."""
    run.take_turns(
        {
            "the function, raw arrays": partial(raw, run),
            **{system.name: partial(bulk, run, system) for system in (OURS, *run.peers)},
        },
        "jobs/s",
    )
    figure = run.figure
    ours = figure.median("cuckmq")
    figure.hold("the function fed raw arrays", ours, figure.median("the function, raw arrays"), goal=0.7)
    figure.hold("the best peer", ours, figure.best([peer.name for peer in run.peers]), goal=1.2)
