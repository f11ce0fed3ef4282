"""P6: whether a million waiting jobs slow down the first ones; and whether statistics matter for that."""

from __future__ import annotations

from benchmarks import own
from benchmarks.peers.own_jobs import SCHEMA
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import placed
from benchmarks.run import Run

TITLE = "1,000,000 jobs waiting"
NUM_WAITING = 1_000_000
NUM_FIRST = 20_000
TABLES = ("job", "ready", "running", "finalized_job")


def first_rate(run: Run, num_waiting: int, *, is_analysed: bool = True) -> float:
    """Drain the first 20,000 of so many; jobs a second."""
    num_first = run.size(NUM_FIRST)
    with placed(OURS, run.dsn) as place:
        if not is_analysed:  # autovacuum would analyse by itself within a minute
            for table in TABLES:
                place.connection.execute(
                    f'alter table "{SCHEMA}".{table} set (autovacuum_enabled = off)'.encode()
                )
        own.fill(place, num_waiting)
        if is_analysed:
            place.connection.execute("vacuum analyze")
        place.connection.execute("checkpoint")
        place.start_worker()
        place.wait_for(num_first, 120)
        (marks,) = place.marks()
        return num_first / ((marks[num_first - 1].at_ns - marks[0].at_ns) / 1e9)


def measure(run: Run) -> None:
    """Measure."""
    num_first, num_waiting = run.size(NUM_FIRST), run.size(NUM_WAITING)
    run.take_turns({"none waiting besides": lambda: first_rate(run, num_first)}, "jobs/s")
    run.take_turns(
        {
            "a million waiting": lambda: first_rate(run, num_waiting),
            "a million, never analysed": lambda: first_rate(run, num_waiting, is_analysed=False),
        },
        "jobs/s",
        num_rounds=1,
    )
    run.take_turns({"none waiting besides": lambda: first_rate(run, num_first)}, "jobs/s", num_rounds=1)
    figure = run.figure
    with_them = figure.median("a million waiting")
    figure.hold("none waiting", with_them, figure.median("none waiting besides"), goal=0.9)
    figure.hold("analysed", figure.median("a million, never analysed"), with_them, goal=0.9)
