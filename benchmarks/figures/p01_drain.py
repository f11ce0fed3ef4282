"""P1: how fast one worker process drains a backlog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from benchmarks import own
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import System, drain_rate, placed
from benchmarks.run import Run

TITLE = "drain, one worker process"
NUM_WORKERS = 1


def drain(run: Run, system: System, setting: str, num_workers: int) -> float:
    """Drain once; jobs a second."""
    num_jobs = run.size(system.num_best if setting == "best" else system.num_default, minimum=3) * num_workers
    with placed(system, run.dsn, setting) as place:
        place.tell("fill", num_jobs)
        return drain_rate(place, num_jobs, num_workers)


def contestants(
    run: Run, num_workers: int, setting: str, systems: Sequence[System]
) -> dict[str, Callable[[], float]]:
    """List who drains, with this setting."""
    return {
        f"{system.name} {setting}": partial(drain, run, system, setting, num_workers) for system in systems
    }


def measure(run: Run) -> None:
    """Measure."""
    engine = partial(own.engine_rate, run, run.size(OURS.num_default))
    ours_and_theirs = {
        **contestants(run, NUM_WORKERS, "default", [OURS]),
        **contestants(run, NUM_WORKERS, "best", [OURS, *run.peers]),
    }
    run.take_turns({"engine loop": engine, **ours_and_theirs}, "jobs/s")
    # No goal is about these: one round tells how far they are.
    run.take_turns(contestants(run, NUM_WORKERS, "default", run.peers), "jobs/s", num_rounds=1)
    ours = run.figure.median("cuckmq default")
    run.figure.hold("the engine loop", ours, run.figure.median("engine loop"), goal=0.7)
    for peer, goal in (("graphile-worker", 1.3), ("pgqueuer", 5.0)):
        run.figure.hold(f"{peer} at its best", ours, run.figure.median(f"{peer} best"), goal=goal)
