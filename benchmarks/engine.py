"""The engine loop: our own SQL functions, called by a bare psycopg client that does nothing else.

What a worker reaches is measured against this, in the same run: it is the most that these functions give
to one client on this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg

from cuckmq._runtime.lookout import places
from cuckmq.database.run import run_sync
from cuckmq.outcome import Outcome
from cuckmq.protocol.exchange import Demand, exchange
from cuckmq.protocol.workers import register_worker

BATCH_SIZE = 200
SWEEP_SECS = 0.25


def drain(
    connection: psycopg.Connection[Any], schema: str, *, on_batch: Callable[[int], None] = lambda num: None
) -> float:
    """Claim and settle until nothing is left. Returns the seconds it took."""
    (registration,) = run_sync(
        connection,
        register_worker(
            name="engine", host="", pid=0, version="", concurrency=1, channels=None, lease_secs=3600
        ),
        schema,
    )
    definitions = [
        row[0] for row in connection.execute(f'select id from "{schema}".job_definition').fetchall()
    ]
    demand = Demand(None, definitions, BATCH_SIZE, 20)
    marks: dict[int, Any] = {}
    outcomes: list[Outcome] = []
    groups: set[int] = set()
    began_at = swept_at = time.perf_counter()
    while True:
        is_sweep = time.perf_counter() - swept_at > SWEEP_SECS
        demand.marks = {} if is_sweep else marks
        swept_at = time.perf_counter() if is_sweep else swept_at
        rows = run_sync(connection, exchange(registration.worker_id, outcomes, list(groups), demand), schema)
        claimed = [row for row in rows if row.verdict is None]
        on_batch(len(outcomes))
        outcomes = [Outcome(row.job_id, row.attempt, "succeeded", None, "null") for row in claimed]
        groups = {row.group_hash for row in claimed if row.group_hash is not None}
        for lane_id, run_at in places(claimed):
            if lane_id not in marks or marks[lane_id] < run_at:
                marks[lane_id] = run_at
        if not claimed and not demand.marks:
            return time.perf_counter() - began_at
        if not claimed:
            marks = {}
