"""What the server lives on runs out: its disks, its connections. Given back, all goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cuckmq import JobHandle
from cuckmq.errors import EnqueueUnknown
from tests.reliability.rig import Rig, rig_for
from tests.reliability.rigs.disk import put_wal_on, small_disk
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually

Recovered = Callable[[str, float], None]


def assert_each_once(rig: Rig, handles: list[JobHandle]) -> None:
    starts = [entry.job_id for entry in rig.log.entries("start")]
    assert sorted(starts) == sorted(handle.id for handle in handles), "no try was made twice"


@pytest.mark.as_root
@pytest.mark.fault("B9")
async def test_the_disk_of_the_log_is_full(
    new_cluster: Callable[..., PrivateCluster], tmp_path: Path, recovered: Recovered
):
    """E35: the server panics and does not come back; with more room it does, and nothing is lost."""
    cluster = new_cluster(settings={"wal_keep_size": "1GB", "max_wal_size": "1GB"})
    cluster.stop()
    with small_disk(cluster, 80) as disk:
        put_wal_on(disk, cluster)
        cluster.start()
        async with rig_for(cluster.dsn, "full", tmp_path) as (rig, context):
            worker = await rig.start(concurrency=4)
            sleep = context.definitions["sleep"]
            acknowledged = await sleep.enqueue_many([0.2] * 40)
            await eventually(lambda: len(rig.log.entries("start")) >= 5)
            with contextlib.suppress(psycopg.OperationalError, EnqueueUnknown):
                async with await psycopg.AsyncConnection.connect(cluster.dsn, autocommit=True) as glutton:
                    for _ in range(100):
                        await glutton.execute(
                            "select pg_logical_emit_message(false, 'fill', repeat('x', 4000000))"
                        )
                        acknowledged.append(await sleep.enqueue(0.0))

            def has_panicked() -> bool:
                return "PANIC" in cluster.server._home.log.read_text()

            await eventually(has_panicked)
            await asyncio.sleep(2)  # the outage itself, which must have some length
            assert worker.is_alive
            disk.grow(800)
            await asyncio.to_thread(cluster.restart, at_once=True)
            up_at = time.monotonic()
            for handle in acknowledged:
                await handle.result(timeout_secs=30)
            recovered("B9", time.monotonic() - up_at)
            assert worker.is_alive
            jobs = await context.jobs.get_many([handle.id for handle in acknowledged])
            assert {(job.stall_count, job.error_count) for job in jobs} == {(0, 0)}
            started = {entry.job_id for entry in rig.log.entries("start")}
            assert {handle.id for handle in acknowledged} <= started
            assert await context.jobs.find_problems() == []


@pytest.mark.as_root
@pytest.mark.fault("B10")
async def test_the_disk_of_the_tables_is_full(
    private_cluster: PrivateCluster, tmp_path: Path, recovered: Recovered
):
    """E35: who puts in is told so; what runs is settled at last, and no try is lost."""
    dsn = make_conninfo(private_cluster.dsn, dbname="small")
    with small_disk(private_cluster, 60) as disk:
        async with await psycopg.AsyncConnection.connect(private_cluster.dsn, autocommit=True) as psql:
            await psql.execute(f"create tablespace small location '{disk.folder}'".encode())
            await psql.execute("create database small tablespace small")
        async with (
            rig_for(dsn, "full", tmp_path) as (rig, context),
            await psycopg.AsyncConnection.connect(dsn, autocommit=True) as psql,
        ):
            worker = await rig.start(concurrency=4)
            sleep = context.definitions["sleep"]
            handles = await sleep.enqueue_many([1.0] * 4 + [0.1] * 20)
            await eventually(lambda: len(rig.log.entries("start")) == 4)
            await psql.execute("create table filler (x text)")
            await psql.execute("alter table filler alter column x set storage plain")

            async def fill() -> None:
                while True:
                    await psql.execute("insert into filler values (repeat('x', 7000))")

            async def put_in() -> None:
                # Pages that are there have room for some jobs more.
                for _ in range(200):
                    handles.extend(await sleep.enqueue_many([0.0] * 50))

            for use_up in (fill, put_in):
                with pytest.raises(psycopg.errors.DiskFull):
                    await use_up()
            await asyncio.sleep(2)  # the fault itself, while jobs end
            assert worker.is_alive
            disk.grow(400)
            freed_at = time.monotonic()
            for handle in handles:
                assert await handle.result(timeout_secs=30) == 1
            recovered("B10", time.monotonic() - freed_at)
            assert worker.is_alive
            assert_each_once(rig, handles)
            assert await context.jobs.find_problems() == []


@pytest.mark.fault("B11")
async def test_every_connection_of_the_server_is_taken(
    new_cluster: Callable[..., PrivateCluster], tmp_path: Path, recovered: Recovered
):
    """E35, E20: leases are kept on connections that are held; who wants one more asks seldom, and gets it."""
    cluster = new_cluster(settings={"max_connections": "40"})

    def num_refused() -> int:
        return cluster.server._home.log.read_text().count("too many clients already")

    async with rig_for(cluster.dsn, "taken", tmp_path) as (rig, context):
        async with context.database.connection() as connection:
            await connection.execute("create table public.effect (job_id bigint, payload integer)")
        options = {"heartbeat_secs": 0.4, "lease_secs": 2.0, "concurrency": 8}
        workers = [await rig.start(**options) for _ in range(2)]
        handles = await context.definitions["sleep"].enqueue_many([5.0] * 6)
        await eventually(lambda: len(rig.log.entries("start")) == 6)
        async with contextlib.AsyncExitStack() as taken:
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    await taken.enter_async_context(
                        await psycopg.AsyncConnection.connect(cluster.dsn, autocommit=True)
                    )
            handles += await context.definitions["effect"].enqueue_many(list(range(8)))
            num_before, began_at = num_refused(), time.monotonic()
            await asyncio.sleep(6)  # the fault itself, longer than leases and what runs
            num_asked, secs = num_refused() - num_before, time.monotonic() - began_at
        freed_at = time.monotonic()
        for handle in handles:
            await handle.result(timeout_secs=40)
        recovered("B11", time.monotonic() - freed_at)
        assert num_asked / secs / len(workers) < 2, "a storm of questions"
        assert num_asked > 0, "nobody wanted one"
        assert all(worker.is_alive for worker in workers)
        assert rig.log.entries("lost") == []
        assert_each_once(rig, handles)
        assert await context.jobs.find_problems() == []
