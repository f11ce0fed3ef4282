"""Statements that a connection knows by heart: when they are, when they are not, and what is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow, dict_row

from cuckmq.database.attentive import AttentiveConnection
from cuckmq.database.prepared import MAX_PREPARED, PreparingConnection
from cuckmq.database.run import run, run_sync
from cuckmq.protocol.statement import Statement, only

ADD = Statement("select %s::integer + %s::integer", (1, 2), only)


@pytest.fixture
async def connection(dsn: str) -> AsyncGenerator[AttentiveConnection[TupleRow]]:
    async with await AttentiveConnection.connect(dsn, autocommit=True) as connection:
        yield connection


async def names(connection: psycopg.AsyncConnection[Any]) -> list[str]:
    cursor = psycopg.AsyncCursor(connection)
    await cursor.execute("select name from pg_prepared_statements order by prepare_time", prepare=False)
    return [str(name) for (name,) in await cursor.fetchall()]


async def test_what_is_said_again_is_prepared(connection: AttentiveConnection[TupleRow]):
    for known in ([], ["cuckmq_1"], ["cuckmq_1"]):
        assert await run(connection, ADD, "x") == [3]
        assert await names(connection) == known


async def test_parameters_of_other_types_are_another_statement(connection: AttentiveConnection[TupleRow]):
    def told(value: object) -> Statement[str]:
        return Statement("select pg_typeof(%s)::text", (value,), only)

    for _ in range(3):
        assert await run(connection, told(1), "x") == ["smallint"]
        assert await run(connection, told(100_000), "x") == ["integer"]
        assert await run(connection, told(1.5), "x") == ["double precision"]
    assert len(await names(connection)) == 3


async def test_texts_are_told_from_arrays_and_nulls(connection: AttentiveConnection[TupleRow]):
    sql = "select %b::text[], %s::text, %s::integer[], (select 7 where false)"
    for _ in range(3):
        rows = await run(connection, Statement(sql, (['a"', None], "b'", "{1,2}"), tuple), "x")
        assert rows == [(['a"', None], "b'", [1, 2], None)]


async def test_what_the_session_forgot_is_prepared_anew(connection: AttentiveConnection[TupleRow]):
    """Somebody to whom the connection was lent has discarded all, or psycopg did after a rollback."""
    for _ in range(2):
        await run(connection, ADD, "x")
    await connection.execute("discard all")
    assert await run(connection, ADD, "x") == [3]
    for _ in range(2):
        await run(connection, ADD, "x")
    assert await names(connection) == ["cuckmq_2"]


async def test_what_a_migration_changed_is_prepared_anew(connection: AttentiveConnection[TupleRow], dsn: str):
    """A plan whose columns are others is refused by the server; nobody is to notice."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
        await other.execute("create table changing as select 1 as a")
        ask = Statement("select * from changing", (), tuple)
        for _ in range(3):
            assert await run(connection, ask, "x") == [(1,)]
        await other.execute("alter table changing add column b integer default 2")
        for _ in range(3):
            assert await run(connection, ask, "x") == [(1, 2)]
        await other.execute("drop table changing")


async def test_no_more_is_prepared_than_may_be(connection: AttentiveConnection[TupleRow]):
    for number in range(MAX_PREPARED + 3):
        for _ in range(2):
            assert await run(connection, Statement(f"select {number}", (), only), "x") == [number]
    assert len(await names(connection)) == MAX_PREPARED


async def test_behind_a_pooler_nothing_is_prepared(connection: AttentiveConnection[TupleRow]):
    connection.prepare_threshold = None
    for _ in range(3):
        assert await run(connection, ADD, "x") == [3]
    assert await names(connection) == []


async def test_an_error_is_the_drivers_own_and_harms_nothing(connection: AttentiveConnection[TupleRow]):
    divide = Statement("select 1 / %s::integer", (0,), only)
    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero") as raised:
            await run(connection, divide, "x")
        assert raised.value.sqlstate == "22012"
        with pytest.raises(psycopg.errors.SyntaxError):
            await run(connection, Statement("selec %s", (1,), only), "x")
        assert await run(connection, ADD, "x") == [3]
    await connection.close()
    with pytest.raises(psycopg.OperationalError, match="closed"):
        await run(connection, ADD, "x")


async def test_an_error_at_the_commit_is_an_error(connection: AttentiveConnection[TupleRow]):
    """The answer has come by then; it is not to be believed."""
    await connection.execute("create temp table late (id integer unique deferrable initially deferred)")
    insert = Statement("insert into late values (%s) returning id", (1,), only)
    assert await run(connection, insert, "x") == [1]
    for _ in range(3):
        with pytest.raises(psycopg.errors.UniqueViolation):
            await run(connection, insert, "x")
    assert await run(connection, Statement("select count(*) from late", (), only), "x") == [1]


@pytest.mark.parametrize("is_prepared", [True, False])
async def test_within_a_transaction_it_is_a_part_of_that(
    connection: AttentiveConnection[TupleRow], is_prepared: bool
):
    in_transaction = Statement("select pg_current_xact_id()::text", (), only)
    for _ in range(2 * is_prepared):
        await run(connection, in_transaction, "x")
    async with connection.transaction():
        first = await run(connection, in_transaction, "x")
        assert await run(connection, in_transaction, "x") == first
    assert await run(connection, in_transaction, "x") != first


async def test_a_connection_that_does_not_commit_by_itself_begins_a_transaction(dsn: str):
    async with await AttentiveConnection.connect(dsn) as connection:
        for _ in range(3):
            assert await run(connection, ADD, "x") == [3]
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


async def test_in_a_pipeline_it_takes_its_place(connection: AttentiveConnection[TupleRow]):
    for _ in range(2):
        await run(connection, ADD, "x")
    async with connection.pipeline():
        assert await run(connection, ADD, "x") == [3]
    assert await run(connection, ADD, "x") == [3]


async def test_tasks_on_one_connection_take_turns(connection: AttentiveConnection[TupleRow]):
    async def say(number: int) -> int:
        statement = Statement("select %s::integer from pg_sleep(0.001)", (number,), only)
        (answer,) = await run(connection, statement, "x")
        return int(answer)

    assert await asyncio.gather(*[say(number) for number in range(50)]) == list(range(50))


async def test_how_the_owner_wants_his_rows_is_his_alone(connection: AttentiveConnection[TupleRow]):
    connection.row_factory = dict_row  # type: ignore[assignment]
    for _ in range(3):
        assert await run(connection, ADD, "x") == [3]


async def test_notifications_that_come_with_an_answer_are_heard(connection: AttentiveConnection[TupleRow]):
    heard: list[str] = []
    connection.add_notify_handler(lambda notify: heard.append(notify.payload))
    await connection.execute("listen prepared")
    for number in range(3):
        await run(connection, Statement("select pg_notify('prepared', %s)", (str(number),), only), "x")
    assert heard == ["0", "1", "2"]


def test_the_sync_world_does_the_same(dsn: str):
    with PreparingConnection[TupleRow].connect(dsn, autocommit=True) as connection:

        def names() -> list[str]:
            found = psycopg.Cursor(connection).execute(
                "select name from pg_prepared_statements", prepare=False
            )
            return [str(name) for (name,) in found.fetchall()]

        for known in ([], ["cuckmq_1"], ["cuckmq_1"]):
            assert run_sync(connection, ADD, "x") == [3]
            assert names() == known
        connection.execute("discard all")
        assert run_sync(connection, ADD, "x") == [3]
        with connection.transaction(), connection.pipeline():
            assert run_sync(connection, ADD, "x") == [3]
        with pytest.raises(psycopg.errors.DivisionByZero):
            run_sync(connection, Statement("select 1 / %s::integer", (0,), only), "x")
        assert run_sync(connection, ADD, "x") == [3]
