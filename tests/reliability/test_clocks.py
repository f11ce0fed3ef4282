"""Wall clocks that are wrong: what counts is the database's, and what a worker measures goes only forward."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cuckmq import Context
from cuckmq.terms import DEFAULT_CHANNEL
from tests.reliability.rig import Rig, rig_for
from tests.reliability.rigs.clocks import applied, put_clock, read_from, wrong_by
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually


@pytest.mark.fault("E1")
async def test_clocks_of_workers_are_off_by_an_hour(rig: Rig, queue: Context) -> None:
    """D1: nothing runs before its moment, and nobody is taken for dead: one is fast, one is slow."""
    options = {"concurrency": 2, "lease_secs": 3.0, "heartbeat_secs": 0.5}
    workers = []
    for offset in ("+1h", "-1h"):
        with applied(wrong_by(offset)):
            workers.append(await rig.start(name=f"off{offset}", **options))
    sleep = queue.definitions["sleep"]
    began_at = time.monotonic()
    delayed = await sleep.enqueue_many([0.0] * 4, delay_secs=2.0)
    # Longer than a lease: who beats by a wrong clock would lose these.
    long = await sleep.enqueue_many([5.0] * 2)
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


@pytest.mark.fault("E2")
async def test_the_clock_of_a_worker_jumps(
    rig: Rig, queue: Context, tmp_path: Path, recovered: Callable[[str, float], None]
) -> None:
    """E14: back by two hours it does not hang, ahead by a day it beats no faster; no lease ends."""
    clock = tmp_path / "clock"
    put_clock(clock, "+0")
    with applied(read_from(clock)):
        worker = await rig.start(lease_secs=3.5, heartbeat_secs=0.3, poll_secs=0.5)
    sleep = queue.definitions["sleep"]
    assert await (await sleep.enqueue(0.0)).result(timeout_secs=10) == 1
    handles = []
    for offset in ("-2h", "+1d"):
        long = await sleep.enqueue(5.0)
        await eventually(lambda job_id=long.id: rig.log.entries("start", job_id))
        put_clock(clock, offset)
        jumped_at = time.monotonic()
        prompt = await sleep.enqueue(0.0)
        late = await sleep.enqueue(0.0, delay_secs=1.0)
        assert await prompt.result(timeout_secs=10) == 1
        recovered("E2", time.monotonic() - jumped_at)
        num_beats = await _count_beats(queue, during=long.id)
        assert 6 <= num_beats <= 22, "five seconds, of a beat in 0.3 s"
        assert await late.result(timeout_secs=10) == 1
        assert rig.log.entries("start", late.id)[0].at - jumped_at >= 1.0
        handles += [long, prompt, late]
    starts = [entry.job_id for entry in rig.log.entries("start")]
    assert all(starts.count(handle.id) == 1 for handle in handles)
    assert rig.log.entries("lost") == []
    worker.send(signal.SIGTERM)
    assert await worker.wait() == 0


async def _count_beats(queue: Context, *, during: int) -> int:
    """How many beats the server has seen until a job ended."""
    beats = set()
    while not (await queue.jobs.get(during)).state.is_final:
        async with queue.database.connection() as connection:
            cursor = await connection.execute(f'select heartbeat_at from "{queue.schema}".worker'.encode())
            beats.update(await cursor.fetchall())
        await asyncio.sleep(0.02)
    return len(beats)


@pytest.mark.fault("E3")
async def test_the_clock_of_the_server_jumps(
    private_cluster: PrivateCluster, tmp_path: Path, recovered: Callable[[str, float], None]
) -> None:
    """E14, E35: three days ahead and back, by a restart: leases end in their time, each job runs once."""
    async with rig_for(private_cluster.dsn, "jumped", tmp_path) as (rig, context):
        options = {"lease_secs": 2.0, "heartbeat_secs": 0.4}
        sleep, hang = context.definitions["sleep"], context.definitions["hang"]
        worker = await rig.start(channels=[DEFAULT_CHANNEL], **options)
        for offset in ("+3d", "+0"):
            doomed = await rig.start(channels=["there"], **options)
            running, lost = await sleep.enqueue(4.0), await hang.enqueue(0.0, channel="there")
            for handle in (running, lost):
                await eventually(lambda job_id=handle.id: rig.log.entries("start", job_id))
            await asyncio.to_thread(private_cluster.stop)
            # Dead while the server is down: all that is left of it is a beat by the old clock.
            doomed.send(signal.SIGKILL)
            with applied(wrong_by(offset)):
                await asyncio.to_thread(private_cluster.start)
            up_at = time.monotonic()
            heir = await rig.start(channels=["there"], **options)
            assert await lost.result(timeout_secs=30) == 2
            recovered("E3", time.monotonic() - up_at)
            assert await (await sleep.enqueue(0.0)).result(timeout_secs=10) == 1
            assert await running.result(timeout_secs=10) == 1, "its worker lives"
            heir.send(signal.SIGTERM)
            assert await heir.wait() == 0
        assert worker.is_alive
        starts = [(entry.job_id, entry.attempt) for entry in rig.log.entries("start")]
        assert len(starts) == len(set(starts)), "no try was made twice"
        assert await context.jobs.find_problems() == []
