"""An old library on a newer schema: the schema says itself whom it still serves."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cuckmq import Context, Orchestrator, Worker
from cuckmq.database.migrate import apply
from cuckmq.errors import SchemaTooNew
from cuckmq.schema import Version, _step, read_version, render
from tests.reliability.program import define
from tests.reliability.rig import WorkerProcess, rig_for
from tests.support.eventually import eventually

#: A version as the next one may be: it adds, and takes nothing away.
EXPANDS = """
    alter table {schema}.job add column origin text;
    create table {schema}.origin (name text primary key);
"""
#: What the next but one takes away: what this library calls to put in, and to claim.
CONTRACTS = """
    alter function {schema}.enqueue_one rename to put_in_one;
    alter function {schema}.enqueue_many rename to put_in_many;
    alter function {schema}.exchange rename to trade;
"""
REFUSAL = "serves libraries that know version 2, and this cuckmq knows version 1: upgrade the library"


async def upgrade(dsn: str, schema: str, *versions: Version) -> None:
    """Do what a newer library's migration does; its functions are its own."""
    written = "update {schema}.schema_version set functions_fingerprint = 'newer' where version > 1"
    await apply(dsn, [render(each, schema) for each in [*map(_step, versions), written]])


@pytest.mark.fault("H6")
async def test_old_processes_come_back_on_a_newer_schema(dsn: str, schema: str, tmp_path: Path) -> None:
    """In the middle of a rollout, under load: who runs goes on, and who is started again begins."""
    acked: list[int] = []
    async with rig_for(dsn, schema, tmp_path) as (rig, context):

        async def put_through(producer: Context, until: asyncio.Event) -> None:
            while not until.is_set():
                handles = await producer.definitions["plain"].enqueue_many(list(range(4)))
                acked.extend(handle.id for handle in handles)
                await asyncio.sleep(0.02)

        async def work(worker: WorkerProcess) -> None:
            """Wait until this process has run jobs that were put in from now on."""
            num_acked = len(acked)
            await eventually(
                lambda: (
                    {entry.job_id for entry in rig.log.entries("end") if entry.pid == worker.pid}
                    & set(acked[num_acked:])
                ),
                timeout_secs=30,
            )

        old = await rig.start(name="old")
        is_done = asyncio.Event()
        putting = asyncio.create_task(put_through(context, is_done))
        await work(old)
        await upgrade(dsn, schema, Version(2, 1, EXPANDS))
        await work(old)

        old.send(signal.SIGTERM)
        assert await old.wait() == 0
        again = await rig.start(name="old")
        await work(again)
        async with Context(dsn, schema=schema) as producer, Orchestrator(producer):
            define(producer, lambda *_: None)
            assert await producer.migrate() == 2
            await producer.deploy()
            begun = asyncio.create_task(put_through(producer, is_done))
            await work(again)
            is_done.set()
            await asyncio.gather(putting, begun)

        await eventually(lambda: len(rig.log.entries("end")) >= len(acked), timeout_secs=30)
        assert sorted(entry.job_id for entry in rig.log.entries("start")) == sorted(acked)
        assert await context.jobs.find_problems() == []


@pytest.mark.fault("H8")
@pytest.mark.parametrize(
    "versions",
    [
        [Version(2, 2, CONTRACTS)],
        # What one version took away, the next does not bring back by saying nothing of it.
        [Version(2, 2, CONTRACTS), Version(3, 1, EXPANDS)],
    ],
    ids=["the-last", "one-before"],
)
async def test_a_schema_that_takes_something_away_refuses_them(
    context: Context, dsn: str, versions: list[Version]
) -> None:
    """Whatever they begin with, and it says what to do."""

    @context.job(name="plain")
    async def plain(payload: int) -> None: ...

    await context.deploy()
    await upgrade(dsn, context.schema, *versions)
    verbs: list[Callable[[], Awaitable[Any]]] = [
        Worker(context).start,
        Orchestrator(context).start,
        context.migrate,
        lambda: plain.enqueue(1),
        lambda: plain.enqueue_many([1, 2]),
        lambda: asyncio.to_thread(plain.enqueue_sync, 1),
    ]
    for verb in verbs:
        with pytest.raises(SchemaTooNew, match=REFUSAL):
            await verb()


@pytest.mark.fault("H8")
async def test_a_worker_that_runs_says_so_and_stays_as_it_is(
    context: Context, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not die, for jobs of it may still end; told to stop, it stops."""
    caplog.set_level(logging.WARNING, "cuckmq")
    async with Worker(context, poll_secs=0.05):
        await upgrade(dsn, context.schema, Version(2, 2, CONTRACTS))
        await eventually(lambda: REFUSAL in caplog.text, timeout_secs=20)


async def test_roles_of_a_newer_library_are_left_as_they_are(context: Context, dsn: str, schema: str) -> None:
    """A right that this library does not know is not taken from them."""
    await context.migrate(roles=True)
    try:
        await upgrade(dsn, schema, Version(2, 1, EXPANDS))
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as owner:
            await owner.execute(f'grant insert on {schema}.origin to "{schema}_producer"'.encode())
            await context.migrate(roles=True)
            has_right = "select has_table_privilege(%s, %s, 'insert')"
            found = await owner.execute(has_right, (f"{schema}_producer", f"{schema}.origin"))
            assert await found.fetchone() == (True,)
    finally:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as owner:
            for role in ("producer", "worker", "observer"):
                await owner.execute(f'drop owned by "{schema}_{role}"'.encode())
                await owner.execute(f'drop role "{schema}_{role}"'.encode())


@pytest.mark.parametrize(
    "ddl",
    ["", "select 1;", "-- Serves libraries from version 0.\n", "-- Serves libraries from version 3.\n"],
)
def test_a_version_that_does_not_say_whom_it_serves(ddl: str) -> None:
    with pytest.raises(ValueError, match=r"0002_next\.sql must begin with `-- Serves libraries"):
        read_version("0002_next.sql", ddl)
