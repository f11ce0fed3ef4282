"""PgBouncer in transaction mode stands between: what cannot work is told, and the rest holds as promised."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cuckmq import Attempt, Context, JobState, Worker
from cuckmq.database.connect import SERVER_DEFAULTS
from tests.reliability.program import define
from tests.reliability.rig import Entry, Rig
from tests.reliability.rigs.listening import listening_server, own_address
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually
from tests.support.pgbouncer import pgbouncer

Pool = Callable[[int], str]


@pytest.fixture
def direct(new_cluster: Callable[..., PrivateCluster]) -> str:
    """A server that listens for TCP, on an address of its own, since the port is fixed."""
    address = own_address()
    return listening_server(new_cluster, address)


@pytest.fixture
def dsn(direct: str) -> str:
    """The rig and the queue of these tests know the server itself."""
    return direct


@pytest.fixture
def pool(direct: str, tmp_path: Path) -> Iterator[Pool]:
    """Put a pooler with so many sessions before the server; its DSN."""
    with ExitStack() as stack:
        yield lambda size: stack.enter_context(pgbouncer(direct, tmp_path / "bouncer", pool_size=size))


@pytest.mark.fault("D1")
async def test_a_pooler_is_noticed_and_told(
    rig: Rig, queue: Context, pool: Pool, caplog: pytest.LogCaptureFixture
):
    """E11: the listener says so once and says what to do; jobs run all the same."""
    caplog.set_level(logging.WARNING, "cuckmq.listener")
    async with Context(pool(5), schema=rig.schema) as pooled:
        define(pooled, lambda *_: None)
        async with Worker(pooled):
            handle = await queue.definitions["plain"].enqueue(1)
            await handle.result(timeout_secs=10)
            (told,) = await eventually(lambda: [*caplog.messages], timeout_secs=15)
            assert "pooler" in told
            assert "listen_dsn" in told


@pytest.mark.fault("D2")
@pytest.mark.full
async def test_ten_thousand_jobs_of_50_groups(rig: Rig, queue: Context, pool: Pool):
    """E5, E7, E11: four workers that only poll; each group one at a time and in order."""
    pooled = pool(8)
    for _ in range(4):
        await rig.start(dsn=pooled)
    plain = queue.definitions["plain"]
    for _ in range(10):
        for group in range(50):
            await plain.enqueue_many([group] * 20, job_group=f"g{group}")
    await eventually(lambda: len(rig.log.entries("end")) >= 10_000, timeout_secs=90)

    async def is_done() -> bool:
        return (await queue.jobs.count())[JobState.SUCCEEDED] == 10_000

    await eventually(is_done)
    by_group: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(rig.log.entries(), key=lambda entry: (entry.at, entry.word == "start")):
        by_group[entry.group].append(entry)
    assert len(by_group) == 50
    for entries in by_group.values():
        assert [entry.word for entry in entries] == ["start", "end"] * 200
        ids = [entry.job_id for entry in entries if entry.word == "start"]
        assert ids == sorted(ids)


@pytest.mark.fault("D4")
async def test_what_others_set_does_no_harm_and_we_set_nothing(rig: Rig, queue: Context, pool: Pool):
    """I4: of one session shared by all, another client leaves behind a search path to tables of his own."""
    pooled = pool(1)
    async with await psycopg.AsyncConnection.connect(
        pooled, autocommit=True, prepare_threshold=None
    ) as neighbour:
        await neighbour.execute("create schema evil")
        for table in ("job", "ready", "running", "worker", "finalized"):
            await neighbour.execute(f"create table evil.{table} (id bigint)")
        await neighbour.execute(
            "create function evil.now() returns timestamptz language sql return timestamptz '1999-01-01'"
        )
        await neighbour.execute("set search_path = evil, pg_catalog")
        await neighbour.execute("set default_transaction_isolation = 'serializable'")
        await neighbour.execute("set timezone = 'Pacific/Apia'")
        async with Context(pooled, schema=rig.schema) as ours:
            define(ours, lambda *_: None)
            async with Worker(ours):
                handles = await ours.definitions["plain"].enqueue_many([1] * 50, job_group="g")
                delayed = await ours.definitions["plain"].enqueue(1, delay_secs=0.5)
                for handle in (*handles, delayed):
                    await handle.result(timeout_secs=20)
                path = await neighbour.execute("show search_path")
                assert await path.fetchone() == ("evil, pg_catalog",), "it was the same session"
        for table in ("job", "ready", "running", "worker", "finalized"):
            assert await (await neighbour.execute(f"select * from evil.{table}")).fetchall() == []
        left = await neighbour.execute(
            "select name from pg_settings where source = 'session' and name = any(%s)",
            ([*SERVER_DEFAULTS],),
        )
        assert await left.fetchall() == []


@pytest.mark.fault("D4")
async def test_a_work_function_leaves_a_role_on_a_pooled_session(rig: Rig, queue: Context, pool: Pool):
    """E11, M3: it is taken back before the commit: neither the queue nor a neighbour works under it."""
    pooled = pool(1)
    async with await psycopg.AsyncConnection.connect(pooled, autocommit=True) as neighbour:
        await neighbour.execute("create role nobody_here")
        who = "select current_user, pg_backend_pid()"
        before = await (await neighbour.execute(who)).fetchone()
        async with Context(pooled, schema=rig.schema) as ours:
            define(ours, lambda *_: None)

            @ours.job(name="become")
            async def become(payload: None, attempt: Attempt) -> None:
                async with attempt.transaction() as connection:
                    await connection.execute("set role nobody_here")

            await ours.deploy()
            async with Worker(ours):
                for _ in range(5):
                    await (await become.enqueue(None)).result(timeout_secs=20)
                    await (await ours.definitions["plain"].enqueue(1)).result(timeout_secs=20)
                    assert await (await neighbour.execute(who)).fetchone() == before


@pytest.mark.fault("D5")
async def test_the_pooler_pauses_and_reconnects(
    rig: Rig, queue: Context, pool: Pool, recovered: Callable[[str, float], None]
):
    """E14: two sessions for forty clients; who waits for one is not taken for dead, and goes on."""
    pooled = pool(2)
    await rig.start(dsn=pooled)
    async with (
        Context(pooled, schema=rig.schema) as producer,
        await psycopg.AsyncConnection.connect(
            make_conninfo(pooled, dbname="pgbouncer"), autocommit=True
        ) as console,
    ):
        define(producer, lambda *_: None)
        plain, is_over = producer.definitions["plain"], asyncio.Event()
        numbers: list[int] = []

        async def produce() -> None:
            while not is_over.is_set():
                numbers.append((await plain.enqueue(1)).id)

        async def go_on(count: int) -> None:
            begun = len(rig.log.entries("start"))
            await eventually(lambda: len(rig.log.entries("start")) > begun + count)

        clients = [asyncio.create_task(produce()) for _ in range(40)]
        try:
            await go_on(20)
            await asyncio.wait_for(console.execute("pause"), 10)
            await asyncio.sleep(4)  # the pause itself, which must have some length
            await asyncio.wait_for(console.execute("resume"), 10)
            resumed_at = time.monotonic()
            await go_on(50)
            recovered("D5", time.monotonic() - resumed_at)
            await console.execute("reconnect")
            await go_on(50)
        finally:
            is_over.set()
            await asyncio.wait(clients)
        assert [task.exception() for task in clients] == [None] * 40

        async def is_done() -> bool:
            return (await queue.jobs.count())[JobState.SUCCEEDED] == len(numbers)

        await eventually(is_done, timeout_secs=30)
    starts = [entry.job_id for entry in rig.log.entries("start")]
    assert sorted(starts) == sorted(numbers)
    assert rig.log.entries("lost") == []
