"""P9: one group with 200,000 jobs waiting: how fast it gets on, and how soon others are served beside it."""

from __future__ import annotations

import statistics
import time

from benchmarks import own
from benchmarks.peers.own_jobs import SCHEMA
from benchmarks.peers.roster import OURS
from benchmarks.peers.systems import placed
from benchmarks.run import Run
from cuckmq.database.run import run_sync
from cuckmq.outcome import Outcome
from cuckmq.protocol.exchange import Demand, exchange
from cuckmq.protocol.workers import heartbeat, register_worker

TITLE = "one group of 200,000 waiting jobs"
NUM_FLOOD = 200_000
NUM_MEASURED = 20_000
NUM_OTHERS = 500
PER_SEC = 100
BEAT_SECS = 1.0


def flood(run: Run) -> None:
    """Drain some of the group with a worker; then claim others beside it with a bare client."""
    with placed(OURS, run.dsn) as place:
        own.fill(place, run.size(NUM_FLOOD), group="'flood'")
        place.settle()
        num = run.size(NUM_MEASURED)
        place.start_worker()
        place.wait_for(num, 60)
        (marks,) = place.marks()
        run.figure.note("the group itself", num / ((marks[num - 1].at_ns - marks[0].at_ns) / 1e9), "jobs/s")
        # The worker knows nothing of these jobs, and the bare client of no others.
        place.connection.execute(f"""select "{SCHEMA}".deploy('beside')""".encode())
        own.fill(place, run.size(NUM_OTHERS, minimum=20), definition="beside")
        (registration,) = run_sync(
            place.connection,
            register_worker(
                name="beside", host="", pid=0, version="", concurrency=1, channels=None, lease_secs=3600
            ),
            SCHEMA,
        )
        row = place.connection.execute(
            f"""select id from "{SCHEMA}".job_definition where name = 'beside'""".encode()
        ).fetchone()
        assert row is not None
        demand = Demand(None, [row[0]], 1, 1)
        outcomes: list[Outcome] = []
        waits: list[float] = []
        beat = heartbeat(registration.worker_id, [], [], latency_secs=None, beat_secs=BEAT_SECS)
        beaten_at = float("-inf")
        while True:
            # Who is silent is looked at by those who rescue, and cannot claim in that moment.
            if time.perf_counter() - beaten_at > BEAT_SECS:
                run_sync(place.connection, beat, SCHEMA)
                beaten_at = time.perf_counter()
            began_at = time.perf_counter()
            rows = run_sync(place.connection, exchange(registration.worker_id, outcomes, [], demand), SCHEMA)
            claimed = [row for row in rows if row.verdict is None]
            if not claimed:
                break
            waits.append(time.perf_counter() - began_at)
            outcomes = [Outcome(row.job_id, row.attempt, "succeeded", None, "null") for row in claimed]
            time.sleep(1 / PER_SEC)
        percentiles = statistics.quantiles(waits, n=100, method="inclusive")
        run.figure.note("a claim of others p50", percentiles[49] * 1000, "ms")
        run.figure.note("a claim of others p99", percentiles[98] * 1000, "ms")


def measure(run: Run) -> None:
    """Measure."""
    run.take_turns_noting({"flood": lambda: flood(run)}, num_rounds=1)
    figure = run.figure
    figure.hold("jobs/s of the group", figure.median("the group itself"), goal=8_000)
    figure.hold("p99 in ms for others", figure.median("a claim of others p99"), goal=10, at_most=True)
