"""Wall clocks that are wrong: what counts is the database's, and what a worker measures goes only forward."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from cuckmq import Context
from tests.reliability.rig import Rig
from tests.reliability.rigs.clocks import wrong_by


@pytest.mark.fault("E1")
async def test_clocks_of_workers_are_off_by_an_hour(
    rig: Rig, queue: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D1: nothing runs before its moment, and nobody is taken for dead: one is fast, one is slow."""
    options = {"concurrency": 2, "lease_secs": 2.0, "heartbeat_secs": 0.5}
    workers = []
    for offset in ("+1h", "-1h"):
        with monkeypatch.context() as patch:
            for name, value in wrong_by(offset).items():
                patch.setenv(name, value)
            workers.append(await rig.start(name=f"off{offset}", **options))
    sleep = queue.definitions["sleep"]
    began_at = time.monotonic()
    delayed = await sleep.enqueue_many([0.0] * 4, delay_secs=2.0)
    # Longer than a lease: who beats by a wrong clock would lose these.
    long = await sleep.enqueue_many([4.0] * 2)
    for handle in (*long, *delayed):
        assert await asyncio.wait_for(handle.result(), 20) == 1
    starts = rig.log.entries("start")
    assert len(starts) == 6, "each job ran once"
    by_id = {entry.job_id: entry for entry in starts}
    assert all(2.0 <= by_id[handle.id].at - began_at < 7.0 for handle in delayed)
    assert rig.log.entries("lost") == []
    for worker in workers:
        worker.send(signal.SIGTERM)
        assert await worker.wait() == 0
