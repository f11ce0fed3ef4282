"""A beat that is answered late speaks of runs that may be over."""

from __future__ import annotations

from typing import Any

from cuckmq import Attempt, Context, Snooze, Worker
from cuckmq.protocol.workers import Pulse


async def test_a_late_beat_does_not_stop_the_next_run_of_a_snoozed_job(context: Context):
    """F1: it asked after the first run, which was over when it was answered."""
    seen: list[Any] = []

    @context.job(name="nap")
    async def nap(payload: int, attempt: Attempt) -> str | Snooze:
        seen.append(worker._desk.snapshot())
        if len(seen) == 1:
            return Snooze(0.001)
        worker._presence.ear.on_pulse(attempt.worker_id, Pulse(True, [attempt.job_id], []), seen[0])
        return "awake" if attempt.ending is None else attempt.ending

    await context.deploy()
    worker = Worker(context)
    async with worker:
        handle = await nap.enqueue(1)
        assert await handle.result(timeout_secs=10) == "awake"
