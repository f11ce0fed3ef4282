"""A schema that changes under workers: nobody fails or stands still for long, nothing is left half-way."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections.abc import Callable
from subprocess import PIPE, Popen
from time import monotonic

import psycopg
import pytest

import cuckmq.database.migrate as machinery
from cuckmq import Context, Worker
from cuckmq.database.migrate import apply
from cuckmq.errors import SchemaBusy
from cuckmq.schema import Version, _step, generate_migration_sql, render
from tests.support.eventually import eventually, eventually_sync
from tests.support.queue import Queue

#: A version as the next one may be: it adds, and takes nothing away.
NEXT = """
    alter table {schema}.job add column origin text;
    create function {schema}.register_worker(p_name text, p_origin text) returns text
    language sql set search_path = pg_catalog, pg_temp as 'select p_name || p_origin';
"""


@pytest.mark.fault("H6")
async def test_a_new_version_under_load(
    context: Context, dsn: str, recovered: Callable[[str, float], None]
) -> None:
    """All goes on while somebody's open transaction keeps the change waiting."""
    ran: list[int] = []
    at: list[float] = []

    @context.job(name="NUMBER")
    async def number(payload: int) -> None:
        ran.append(payload)
        at.append(monotonic())

    await number.deploy()
    is_done = asyncio.Event()
    put_in = 0

    async def put() -> None:
        nonlocal put_in
        while not is_done.is_set():
            await number.enqueue_many(list(range(put_in, put_in + 4)))
            put_in += 4
            await asyncio.sleep(0.02)

    async with Worker(context):
        putting = asyncio.create_task(put())
        async with await psycopg.AsyncConnection.connect(dsn) as idler:
            await idler.execute(f"select count(*) from {context.schema}.job".encode())
            fragments = [
                *generate_migration_sql(context.schema),
                render(_step(Version(2, 1, NEXT)), context.schema),
            ]
            changing = asyncio.create_task(apply(dsn, fragments))
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as eye:
                waiting = "select from pg_locks where not granted and relation = %s::regclass"
                for _ in range(2):  # it comes, gives up, and comes again
                    await until_rows(eye, waiting, f"{context.schema}.job", are_there=True)
                    await until_rows(eye, waiting, f"{context.schema}.job", are_there=False)
            assert not changing.done()
            await idler.rollback()
        await changing
        num_before = len(ran)
        await eventually(lambda: len(ran) >= num_before + 40, timeout_secs=20)
        is_done.set()
        await putting
        await eventually(lambda: len(ran) >= put_in, timeout_secs=20)
    assert sorted(ran) == list(range(put_in))
    recovered("H6", max(later - earlier for earlier, later in itertools.pairwise(at)))


async def until_rows(eye: psycopg.AsyncConnection, query: str, name: str, *, are_there: bool) -> None:
    async def is_so() -> bool:
        return bool(await (await eye.execute(query.encode(), (name,))).fetchall()) == are_there

    await eventually(is_so, timeout_secs=20)


async def test_a_migration_that_finds_no_moment_says_so(
    context: Context, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has changed nothing."""
    monkeypatch.setattr(machinery, "LOCK_TIMEOUT_SECS", 0.05)
    fragment = render(_step(Version(2, 1, NEXT)), context.schema)
    async with await psycopg.AsyncConnection.connect(dsn) as idler:
        await idler.execute(f"select count(*) from {context.schema}.job".encode())
        with pytest.raises(SchemaBusy, match="pg_stat_activity"):
            await apply(dsn, [fragment], patience_secs=0.2)
        versions = await idler.execute(f"select version from {context.schema}.schema_version".encode())
        assert await versions.fetchall() == [(1,)]


@pytest.mark.fault("H9")
@pytest.mark.parametrize("num_done", [1, 2])
def test_a_migration_killed_half_way(dsn: str, schema: str, num_done: int) -> None:
    """It is killed within a fragment; that one is undone or done, and the next migration finishes."""
    with Queue(dsn, schema) as queue:
        for fragment in generate_migration_sql(schema)[:num_done]:
            queue.eye.connection.execute(fragment.encode())
        blocker = queue.session()
        blocker.begin()
        blocker.rows("lock table {schema}.schema_version in access exclusive mode")
        command = [sys.executable, "-m", "cuckmq", "migrate", "--schema", schema, "--database-url", dsn]
        with Popen(command, stdout=PIPE, stderr=PIPE) as migration:
            waiting = "select pid from pg_locks where not granted and relation = %s::regclass"
            found = f'"{schema}".schema_version'
            ((backend,),) = eventually_sync(lambda: queue.eye.rows(waiting, found), timeout_secs=30)
            migration.kill()
            assert migration.wait(10) == -signal.SIGKILL
        blocker.rollback()
        gone = "select not exists (select from pg_stat_activity where pid = %s)"
        eventually_sync(lambda: queue.eye.value(gone, backend), timeout_secs=10)
        tables = "select count(*) from pg_class where relnamespace = %s::regnamespace and relkind = 'r'"
        num_tables = queue.eye.value(tables, schema)
        queue.migrate()
        assert num_tables in {1, queue.eye.value(tables, schema)}
        queue.eye.deploy("PING")
        assert queue.state(queue.eye.enqueue("PING")) == "queued"
        assert queue.eye.problems() == []


@pytest.mark.fault("H7")
def test_two_commands_at_once(dsn: str, schema: str) -> None:
    """Both say that the schema is there."""
    command = [sys.executable, "-m", "cuckmq", "migrate", "--schema", schema, "--database-url", dsn]
    both = [Popen(command, stdout=PIPE, stderr=PIPE, text=True) for _ in range(2)]
    ends = [(each.communicate(timeout=60), each.returncode) for each in both]
    assert [code for _, code in ends] == [0, 0], ends
