"""Answers that are read as they come: who gave up, what broke, and what nobody had asked for."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from cuckmq.database.attentive import AttentiveConnection
from tests.support.eventually import eventually

Attentive = AttentiveConnection[TupleRow]


@asynccontextmanager
async def connected(dsn: str) -> AsyncGenerator[Attentive]:
    connection = await Attentive.connect(dsn, autocommit=True)
    try:
        yield connection
    finally:
        await connection.close()


async def answer(connection: psycopg.AsyncConnection[Any], query: str = "select 1") -> Any:
    return (await (await connection.execute(query.encode())).fetchone() or [None])[0]


def num_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def is_asleep(dsn: str, pid: int) -> bool:
    """Whether a session is in the middle of pg_sleep(). Shortly before it is active, and hears no cancel."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
        cursor = await other.execute(
            "select 1 from pg_stat_activity where pid = %s and wait_event = 'PgSleep'", (pid,)
        )
        return await cursor.fetchone() is not None


async def end_session(dsn: str, pid: int) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
        await other.execute("select pg_terminate_backend(%s, 5000)", (pid,))


async def test_the_loop_is_told_of_the_socket_once(dsn: str, monkeypatch: pytest.MonkeyPatch):
    loop, told = asyncio.get_running_loop(), list[Any]()
    add_reader: Any = loop.add_reader

    def add(*given: Any) -> None:
        told.append(given[0])
        add_reader(*given)

    async with connected(dsn) as connection:
        monkeypatch.setattr(loop, "add_reader", add)
        assert [await answer(connection, f"select {each}") for each in range(20)] == [*range(20)]
    assert len(told) == 1


async def test_every_kind_of_wait_is_served(dsn: str):
    async with connected(dsn) as connection:
        cursor = await connection.execute("select repeat('x', 1000000) from generate_series(1, 20)")
        assert sum(len(row[0]) for row in await cursor.fetchall()) == 20_000_000
        cursor = await connection.execute("select length(%s)", ("x" * 20_000_000,))
        assert await cursor.fetchone() == (20_000_000,)
        await connection.execute("create temp table t (i int)")
        async with connection.cursor() as cursor, cursor.copy("copy t from stdin") as copy:
            for each in range(100):
                await copy.write_row((each,))
        async with connection.pipeline():
            cursors = [await connection.execute("select %s::int", (each,)) for each in range(20)]
            assert [(await each.fetchone() or (None,))[0] for each in cursors] == [*range(20)]
        async with connection.cursor() as cursor:
            await cursor.executemany("insert into t values (%s)", [(each,) for each in range(100, 200)])
            assert sum([row[0] async for row in cursor.stream("select i from t")]) == sum(range(200))
        with pytest.raises(psycopg.errors.DivisionByZero):
            await connection.execute("select 1/0")
        assert await answer(connection) == 1


async def test_who_gave_up_leaves_a_connection_that_is_at_rest(dsn: str):
    async with connected(dsn) as connection:
        pid = connection.info.backend_pid
        asking = asyncio.create_task(connection.execute("select pg_sleep(60)"))
        await eventually(lambda: is_asleep(dsn, pid), why="it sleeps")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not await is_asleep(dsn, pid)
        assert connection.info.transaction_status == TransactionStatus.IDLE
        assert await answer(connection) == 1


@pytest.mark.parametrize("num_turns", range(8))
async def test_giving_up_at_any_moment_leaves_nothing_behind(dsn: str, num_turns: int):
    async with connected(dsn) as connection:
        for each in range(10):
            asking = asyncio.create_task(answer(connection, f"select {each}"))
            for _ in range(num_turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled() or asking.result() == each
            assert connection.info.transaction_status == TransactionStatus.IDLE
            assert await answer(connection, f"select {100 + each}") == 100 + each


async def test_giving_up_when_the_answer_is_there_leaves_nothing_behind(dsn: str):
    async with connected(dsn) as connection:
        asking = asyncio.create_task(answer(connection))
        await asyncio.sleep(0)
        with psycopg.connect(dsn) as other:  # nobody turns the loop meanwhile
            other.execute("select pg_sleep(0.1)")
        asyncio.get_running_loop().call_soon(asking.cancel)  # between the reading and the task
        await asyncio.wait([asking])
        assert connection.info.transaction_status == TransactionStatus.IDLE
        assert await answer(connection, "select 2") == 2


async def test_a_server_that_goes_away_is_told_to_who_waits(dsn: str):
    before = num_files()
    async with connected(dsn) as connection:
        pid = connection.info.backend_pid
        asking = asyncio.create_task(connection.execute("select pg_sleep(60)"))
        await eventually(lambda: is_asleep(dsn, pid), why="it sleeps")
        await end_session(dsn, pid)
        with pytest.raises(psycopg.OperationalError):
            await asking
        assert connection.closed
        await eventually(lambda: num_files() <= before, why="no socket is left open")


async def test_who_waits_is_told_of_a_connection_that_another_closes(dsn: str):
    before = num_files()
    async with connected(dsn) as connection:
        pid = connection.info.backend_pid
        asking = asyncio.create_task(connection.execute("select pg_sleep(60)"))
        await eventually(lambda: is_asleep(dsn, pid), why="it sleeps")
        await connection.close()
        with pytest.raises(psycopg.OperationalError, match="closed while"):
            await asking
        assert num_files() == before


async def test_the_end_of_an_idle_session_is_found_without_turning_in_circles(dsn: str):
    async with connected(dsn) as connection:
        await answer(connection)
        before = num_files()
        await end_session(dsn, connection.info.backend_pid)
        # Of the two files of the connection one is left, libpq's, and nobody watches that.
        await eventually(lambda: num_files() == before - 1, why="the ear is closed")
        with pytest.raises(psycopg.OperationalError):
            await answer(connection)


async def test_words_that_nobody_waits_for_are_kept(dsn: str):
    async with connected(dsn) as connection:
        await connection.execute("listen attentive")
        before = num_files()
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
            await other.execute("notify attentive, 'first'")
            await eventually(lambda: num_files() == before, why="the ear is closed, the other is there")
        assert await answer(connection) == 1
        heard = [each.payload async for each in connection.notifies(timeout=5, stop_after=1)]
        assert heard == ["first"]
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
            asking = asyncio.ensure_future(anext(connection.notifies()))
            await asyncio.sleep(0)
            await other.execute("notify attentive, 'second'")
            assert (await asking).payload == "second"


async def test_who_handles_notices_finds_the_context_of_who_asked(dsn: str):
    asker, heard = contextvars.ContextVar[str]("asker"), []
    async with connected(dsn) as connection:
        connection.add_notice_handler(lambda notice: heard.append((asker.get(), notice.message_primary)))
        for name in ("one", "two"):
            asker.set(name)
            await connection.execute("do $$ begin raise notice 'hello'; end $$")
    assert heard == [("one", "hello"), ("two", "hello")]


async def test_others_may_watch_the_socket_too(dsn: str):
    loop, seen = asyncio.get_running_loop(), asyncio.Event()
    async with connected(dsn) as connection:
        await connection.execute("listen attentive")
        loop.add_reader(connection.fileno(), seen.set)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
            await other.execute("notify attentive")
        await asyncio.wait_for(seen.wait(), 10)
        loop.remove_reader(connection.fileno())
        assert await answer(connection) == 1


async def test_without_a_file_descriptor_it_waits_as_psycopg_does(dsn: str, monkeypatch: pytest.MonkeyPatch):
    def refuse(_: int) -> int:
        raise OSError("Too many open files")

    async with connected(dsn) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(os, "dup", refuse)
            assert await answer(connection) == 1
        assert await answer(connection, "select 2") == 2


def test_it_goes_on_in_another_event_loop(dsn: str):
    before = num_files()
    first = asyncio.new_event_loop()
    connection = first.run_until_complete(Attentive.connect(dsn, autocommit=True))
    assert first.run_until_complete(answer(connection)) == 1
    first.close()
    second = asyncio.new_event_loop()
    assert second.run_until_complete(answer(connection, "select 2")) == 2
    second.run_until_complete(connection.close())
    second.close()
    assert num_files() == before


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_was_never_closed_leaves_no_file_open(dsn: str):
    gc.collect()  # what others left behind must not close in between
    before = num_files()
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(Attentive.connect(dsn, autocommit=True))
    assert loop.run_until_complete(answer(connection)) == 1
    loop.close()
    del connection
    gc.collect()
    assert num_files() == before


PROGRAM = """
import asyncio, sys
from cuckmq.database.attentive import AttentiveConnection

async def main():
    connection = await AttentiveConnection.connect(sys.argv[1], autocommit=True)
    print(connection.info.backend_pid, flush=True)
    try:
        await connection.execute("select pg_sleep(60)")
    finally:
        print(connection.info.transaction_status.name, flush=True)
        await connection.close()

asyncio.run(main())
"""


def heed_ctrl_c() -> None:
    """A shell starts what runs in the background deaf to it, and its children are so too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


async def test_ctrl_c_ends_the_statement_too(dsn: str):
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, dsn, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    assert program.stdout is not None
    pid = int(await program.stdout.readline())
    await eventually(lambda: is_asleep(dsn, pid), why="it sleeps")
    program.send_signal(signal.SIGINT)
    told, complaint = await asyncio.wait_for(program.communicate(), 20)
    assert told.decode().strip() == "IDLE"
    assert b"KeyboardInterrupt" in complaint
    assert not await is_asleep(dsn, pid)
