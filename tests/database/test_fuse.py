"""Who asks over and over waits for no answer for ever, and what is slow gets done all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from psycopg import sql

from cuckmq import Context
from cuckmq._runtime.duty import DutyLoop
from cuckmq.database.fuse import Fuse, NoAnswer
from cuckmq.protocol.statement import Statement
from tests.reliability.rigs.listening import listening_server, own_address
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually


def sleeping(secs: float) -> Statement[str]:
    """A statement that takes so long."""
    return Statement(f"select 'slept' from pg_sleep({secs})", (), lambda row: str(row[0]))


class Sleepy:
    """A duty whose statement takes so long."""

    name = "sleepy"

    def __init__(self, context: Context, secs: float) -> None:
        self._context = context
        self._secs = secs
        self.num_done = self.num_troubles = 0

    async def turn(self) -> float:
        await self._context.database.run(sleeping(self._secs))
        self.num_done += 1
        return 60.0

    def trouble(self) -> None:
        self.num_troubles += 1


@pytest.fixture
async def count_sleepers(dsn: str) -> AsyncIterator[Callable[[], object]]:
    """Tells how many statements sleep on the server."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:

        async def count() -> int:
            cursor = await connection.execute(
                "select count(*) from pg_stat_activity "
                "where wait_event = 'PgSleep' and datname = current_database()"
            )
            return (await cursor.fetchone() or (0,))[0]

        yield count


async def test_an_answer_that_is_overdue_is_given_up(context: Context) -> None:
    fuse = Fuse(0.2)
    began_at = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer for 0.2 s"), fuse.stand():
        await context.database.run(sleeping(60))
    assert time.monotonic() - began_at < 5


async def test_a_statement_that_is_slow_with_reason_gets_done(context: Context) -> None:
    duty = Sleepy(context, 0.5)
    loop = DutyLoop(duty, limit_secs=0.1)
    loop.start()
    await eventually(lambda: duty.num_done)
    assert duty.num_troubles == 3  # cut after 0.1, 0.2 and 0.4 s
    loop.hasten()
    await eventually(lambda: duty.num_done == 2)
    assert duty.num_troubles == 3  # it knows by now how long that takes
    await loop.stop()


async def test_the_limit_shrinks_when_answers_come_again(context: Context) -> None:
    fuse = Fuse(0.2)
    for expected in (0.4, 0.8):
        with pytest.raises(NoAnswer), fuse.stand():
            await context.database.run(sleeping(60))
        assert fuse.limit_secs == expected
    with fuse.stand():
        assert await context.database.run(sleeping(0)) == ["slept"]
    assert fuse.limit_secs == 0.2
    began_at = time.monotonic()
    with pytest.raises(NoAnswer, match=r"0.2 s"), fuse.stand():
        await context.database.run(sleeping(60))
    assert time.monotonic() - began_at < 0.8


async def test_it_stands_for_its_task_alone(context: Context) -> None:
    """A handler that the turn of a duty begins has as much time as it likes; so has a user's connection."""
    with Fuse(0.1).stand():
        handler = asyncio.create_task(context.database.run(sleeping(0.5)))
        async with context.database.connection() as connection:
            assert await context.database.run(sleeping(0.5), connection) == ["slept"]
    assert await handler == ["slept"]


async def test_what_lay_in_the_pool_before_a_silence_is_made_anew(context: Context) -> None:
    pids = Statement("select pg_backend_pid()", (), lambda row: int(row[0]))
    async with context.database.own_connection() as one, context.database.own_connection() as other:
        before = {one.info.backend_pid, other.info.backend_pid}
    with pytest.raises(NoAnswer), Fuse(0.1).stand():
        await context.database.run(sleeping(60))
    assert not before & set(await context.database.run(pids))
    async with context.database.own_connection() as one, context.database.own_connection() as other:
        assert not before & {one.info.backend_pid, other.info.backend_pid}


async def test_what_was_cut_in_the_moment_of_its_answer_is_lent_to_nobody(context: Context) -> None:
    """The answer counts; who asks next gets another connection, and no error."""
    pids = Statement("select pg_backend_pid()", (), lambda row: int(row[0]))
    fuse = Fuse()
    async with context.database.own_connection() as own:
        with fuse.on(own):
            before = await context.database.run(pids, own)
            fuse.cut()
    assert await context.database.run(pids) != before


async def test_it_goes_on_on_another_event_loop(dsn: str, schema: str) -> None:
    """A timer that went with the first event loop is not waited for."""
    fuse = Fuse(0.2)

    async def ask(secs: float) -> list[str]:
        async with Context(dsn, schema=schema) as context:
            with fuse.stand():
                return await context.database.run(sleeping(secs))

    assert await asyncio.to_thread(asyncio.run, ask(0)) == ["slept"]
    with pytest.raises(NoAnswer):
        await asyncio.to_thread(asyncio.run, ask(5))


async def test_a_duty_stops_at_once_in_the_middle_of_a_statement(
    context: Context, count_sleepers: Callable[[], object]
) -> None:
    duty = Sleepy(context, 60)
    loop = DutyLoop(duty)
    loop.start()
    await eventually(count_sleepers)
    began_at = time.monotonic()
    await loop.stop()
    assert time.monotonic() - began_at < 2
    assert duty.num_troubles == 0


async def test_what_waits_for_a_lock_leaves_little_behind(context: Context, dsn: str, schema: str) -> None:
    """A table is locked for far longer than the limit: what was cut off is gone from the server soon."""
    duty = Locked(context)
    loop = DutyLoop(duty, limit_secs=0.1)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as stranger:
        waiting = sql.SQL(
            "select count(*) from pg_locks where not granted and relation = {}::regclass"
        ).format(f"{schema}.schema_version")
        async with stranger.transaction():
            await stranger.execute(sql.SQL("lock {}.schema_version").format(sql.Identifier(schema)))
            loop.start()
            await eventually(lambda: duty.num_troubles == 3)
            ((num_waiting,),) = await (await stranger.execute(waiting)).fetchall()
            assert 1 <= num_waiting <= 4
        await eventually(lambda: duty.num_done)

        async def is_clear() -> bool:
            return await (await stranger.execute(waiting)).fetchall() == [(0,)]

        await eventually(is_clear)
    await loop.stop()


class Locked(Sleepy):
    """A duty that reads a table which somebody has locked."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, 0)

    async def turn(self) -> float:
        await self._context.database.run(
            Statement("select count(*) from {schema}.schema_version", (), lambda row: int(row[0]))
        )
        self.num_done += 1
        return 60.0


async def test_an_answer_that_came_while_the_event_loop_was_blocked_is_taken(context: Context) -> None:
    """The clock went on, and the answer lay there: that is nobody's silence."""
    fuse = Fuse(0.5)
    with fuse.stand():
        asking = asyncio.create_task(_ask_under(fuse, context))
        await eventually(lambda: fuse.is_waiting)
        time.sleep(1.0)  # noqa: ASYNC251 - the loop is blocked
        pids = await asking
    for _ in range(5):
        assert await _ask_under(fuse, context) == pids  # the connection was not cut


async def _ask_under(fuse: Fuse, context: Context) -> list[int]:
    with fuse.stand():
        statement = Statement("select pg_backend_pid() from pg_sleep(0.2)", (), lambda row: int(row[0]))
        return await context.database.run(statement)


async def test_an_answer_that_is_on_its_way_is_waited_for(new_cluster: Callable[..., PrivateCluster]) -> None:
    """However long it takes, as by a narrow wire; while of what is silent too long nothing is waited for."""
    address = own_address()
    rows = (
        "select length(repeat('x', 9000) || pg_sleep({secs})), repeat('x', 9000) from generate_series(1, 10)"
    )
    async with Context(await asyncio.to_thread(listening_server, new_cluster, address)) as context:
        with Fuse(0.5).stand():
            long = Statement(rows.replace("{secs}", "0.15"), (), lambda row: int(row[0]))
            assert await context.database.run(long) == [9000] * 10
        with pytest.raises(NoAnswer), Fuse(0.5).stand():
            await context.database.run(Statement(rows.replace("{secs}", "5"), (), lambda row: int(row[0])))
