"""Processes are killed and frozen at the worst of moments, and the moments are made by holding a lock."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncGenerator, Callable

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from cuckmq import Context, JobState, Worker
from tests.reliability.program import define
from tests.reliability.rig import Rig
from tests.support.eventually import eventually


@pytest.fixture
async def psql(dsn: str) -> AsyncGenerator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        yield connection


async def blocked_by(psql: psycopg.AsyncConnection, holder: psycopg.AsyncConnection) -> set[int]:
    """The sessions that wait for what this one holds."""
    cursor = await psql.execute(
        "select pid from pg_stat_activity where %s = any(pg_blocking_pids(pid))", (holder.info.backend_pid,)
    )
    return {pid for (pid,) in await cursor.fetchall()}


@pytest.mark.fault("A2")
async def test_killed_between_a_claim_and_its_start(
    rig: Rig, queue: Context, dsn: str, psql: psycopg.AsyncConnection,
    recovered: Callable[[str, float], None],
):  # fmt: skip
    """E13: what was claimed and never begun runs elsewhere; what was settled with the claim stays settled."""
    sleep = queue.definitions["sleep"]
    doomed = await rig.start(concurrency=2)
    first = await sleep.enqueue(0.5, job_group="g")
    await eventually(lambda: rig.log.entries("start", first.id))
    second = await sleep.enqueue(0.0, job_group="g")
    async with await psycopg.AsyncConnection.connect(dsn) as holder:
        await holder.execute(f'select from "{rig.schema}".running where job_id = {first.id} for update')
        await eventually(lambda: blocked_by(psql, holder))
        doomed.send(signal.SIGSTOP)
    # Its claim goes through now, and nobody is awake to hear so.
    await eventually(lambda: _state(queue, second.id, JobState.RUNNING))
    doomed.send(signal.SIGKILL)
    killed_at = time.monotonic()
    saviour = await rig.start()
    await second.result(timeout_secs=20)
    (start,) = rig.log.entries("start", second.id)
    assert (start.pid, start.attempt) == (saviour.pid, 2)
    recovered("A2", start.at - killed_at)
    assert len(rig.log.entries("start", first.id)) == 1
    assert (await first.get()).state is JobState.SUCCEEDED


@pytest.mark.fault("A3")
async def test_killed_between_the_work_and_its_settlement(
    rig: Rig, queue: Context, dsn: str, psql: psycopg.AsyncConnection,
    recovered: Callable[[str, float], None],
):  # fmt: skip
    """E13: it runs again, once; the server does not settle for a client that is gone."""
    doomed = await rig.start()
    handle = await queue.definitions["sleep"].enqueue(0.3)
    await eventually(lambda: rig.log.entries("start", handle.id))
    async with await psycopg.AsyncConnection.connect(dsn) as holder:
        await holder.execute(f'select from "{rig.schema}".running where job_id = {handle.id} for update')
        waiting = await eventually(lambda: blocked_by(psql, holder))
        assert rig.log.entries("end", handle.id)
        doomed.send(signal.SIGKILL)
        killed_at = time.monotonic()

        async def is_given_up() -> bool:
            return not waiting & await blocked_by(psql, holder)

        await eventually(is_given_up, timeout_secs=20)
    recovered("A3", time.monotonic() - killed_at)
    saviour = await rig.start()
    assert await handle.result(timeout_secs=20) == 2
    assert [entry.pid for entry in rig.log.entries("start", handle.id)] == [doomed.pid, saviour.pid]


async def _state(queue: Context, job_id: int, state: JobState) -> bool:
    return (await queue.jobs.get(job_id)).state is state


@pytest.mark.fault("A12")
async def test_a_storm_of_cancellations_on_a_small_pool(
    rig: Rig, queue: Context, dsn: str, psql: psycopg.AsyncConnection
):
    """E33: fifty tasks that give up at any moment leak no connection, and the worker stops in time."""
    dice = random.Random(12)
    async with AsyncConnectionPool(dsn, min_size=2, max_size=2, kwargs={"autocommit": True}) as pool:
        async with Context(pool, schema=rig.schema) as storm:
            define(storm, lambda *_: None)
            plain = storm.definitions["plain"]

            async def hurry() -> None:
                for _ in range(20):
                    asking = asyncio.create_task(plain.enqueue(1))
                    await asyncio.sleep(dice.uniform(0, 0.02))
                    asking.cancel()
                    await asyncio.wait([asking])

            async with Worker(storm) as worker:
                await asyncio.gather(*(hurry() for _ in range(50)))
                began_at = time.monotonic()
                await asyncio.wait_for(worker.stop(), 15)
                assert time.monotonic() - began_at < 10
            assert await (await plain.enqueue(1)).get() is not None
        stats = pool.get_stats()
        assert stats["pool_available"] == stats["pool_size"] <= 2
        assert stats.get("requests_waiting", 0) == 0
    assert (await queue.jobs.count())[JobState.RUNNING] == 0
