"""Putting jobs in: one, many, from sync code, inside the caller's transaction, and from plain SQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from cuckmq import Context, JobDefinition, JobState, Worker
from cuckmq.errors import JobNotFound


class Ping(BaseModel):
    message: str


HI = Ping(message="hi")


def define(context: Context) -> JobDefinition[Ping, int]:
    @context.job(name="PING", channel="mail", priority=2, num_attempts=5)
    async def ping(payload: Ping) -> int:
        return len(payload.message)

    return ping


@pytest.fixture
async def ping(context: Context) -> JobDefinition[Ping, int]:
    ping = define(context)
    await ping.deploy()
    return ping


@pytest.fixture
async def theirs(dsn: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection of the caller's, with a transaction open as psycopg has it by default."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        yield connection


async def num_jobs(context: Context) -> int:
    return sum((await context.jobs.count()).values())


async def test_a_job_is_there_when_enqueue_returns(context: Context, ping: JobDefinition[Ping, int]) -> None:
    """C1, G7, H1: durable on return, and as the definition says."""
    before = datetime.now(UTC)
    handle = await ping.enqueue(HI)
    job = await handle.get()
    assert (job.id, job.name, job.state) == (handle.id, "PING", JobState.QUEUED)
    assert (job.channel, job.priority, job.num_attempts, job.num_stalls) == ("mail", 2, 5, 3)
    assert (job.payload, job.result, job.errors, job.attempt) == ({"message": "hi"}, None, (), 0)
    assert (job.started_at, job.finalized_at, job.worker_id) == (None, None, None)
    for moment in (job.created_at, job.queued_at):
        assert abs(moment - before) < timedelta(minutes=1)
    assert await context.jobs.get(handle.id) == job


async def test_an_enqueue_may_say_otherwise(ping: JobDefinition[Ping, int]) -> None:
    """C6: override the definition's defaults."""
    handle = await ping.enqueue(
        HI, channel="slow", priority=-7, num_attempts=9, num_stalls=0, job_group="customer 5"
    )
    job = await handle.get()
    assert (job.channel, job.priority, job.num_attempts, job.num_stalls) == ("slow", -7, 9, 0)
    assert job.job_group == "customer 5"


@pytest.mark.parametrize(
    "none", ["delay_secs", "run_at", "job_group", "channel", "priority", "num_attempts", "num_stalls"]
)
async def test_none_means_what_the_definition_says(ping: JobDefinition[Ping, int], none: str) -> None:
    options: Any = {none: None}
    job = await (await ping.enqueue(HI, **options)).get()
    assert (job.channel, job.priority, job.num_attempts, job.num_stalls) == ("mail", 2, 5, 3)
    assert (job.job_group, job.state) == (None, JobState.QUEUED)


@pytest.mark.parametrize("delay", [3600, 3600.0, timedelta(hours=1)])
async def test_a_delay(ping: JobDefinition[Ping, int], delay: Any) -> None:
    """C4: a number of seconds or a timedelta."""
    job = await (await ping.enqueue(HI, delay_secs=delay)).get()
    assert job.state == JobState.SCHEDULED
    assert abs(job.queued_at - job.created_at - timedelta(hours=1)) < timedelta(seconds=1)


async def test_a_moment(ping: JobDefinition[Ping, int]) -> None:
    """C5: kept to the microsecond; one in the past means now."""
    moment = datetime(2100, 6, 1, 12, 30, 15, 123456, tzinfo=UTC)
    later = await (await ping.enqueue(HI, run_at=moment)).get()
    assert (later.state, later.queued_at) == (JobState.SCHEDULED, moment)
    past = await (await ping.enqueue(HI, run_at=datetime(1970, 1, 1, tzinfo=UTC))).get()
    assert past.state == JobState.QUEUED
    assert abs(past.queued_at - past.created_at) < timedelta(seconds=1)


async def test_many_come_in_order_or_not_at_all(context: Context, ping: JobDefinition[Ping, int]) -> None:
    """C3: one statement, ids in the order of the payloads."""
    handles = await ping.enqueue_many([Ping(message=str(number)) for number in range(500)])
    jobs = await context.jobs.get_many([handle.id for handle in handles])
    assert [job.payload["message"] for job in jobs] == [str(number) for number in range(500)]
    assert sorted(job.queued_at for job in jobs) == [job.queued_at for job in jobs]
    assert await ping.enqueue_many([]) == []
    assert await num_jobs(context) == 500


async def test_from_sync_code(context: Context, ping: JobDefinition[Ping, int]) -> None:
    """C1: from a thread, with no event loop of its own."""
    handle = await asyncio.to_thread(ping.enqueue_sync, HI, priority=4)
    assert (await handle.get()).priority == 4
    async with Worker(context):
        assert await handle.result(timeout_secs=10) == 2


async def test_in_a_transaction_of_the_caller(
    context: Context, ping: JobDefinition[Ping, int], theirs: psycopg.AsyncConnection
) -> None:
    """C7: there with the commit, and nobody sees it before."""
    handle = await ping.enqueue(HI, connection=theirs)
    with pytest.raises(JobNotFound, match="the transaction that enqueued it did not commit"):
        await handle.get()
    with pytest.raises(JobNotFound):
        await handle.result(timeout_secs=10)
    assert theirs.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    await theirs.commit()
    assert (await handle.get()).state == JobState.QUEUED


async def test_in_a_transaction_that_is_rolled_back(
    context: Context, ping: JobDefinition[Ping, int], theirs: psycopg.AsyncConnection
) -> None:
    """C7: gone with the rollback, and nothing is left."""
    handles = await ping.enqueue_many([HI, HI], connection=theirs)
    await theirs.rollback()
    with pytest.raises(JobNotFound):
        await handles[0].get()
    assert await num_jobs(context) == 0


async def test_in_a_savepoint(
    context: Context, ping: JobDefinition[Ping, int], theirs: psycopg.AsyncConnection
) -> None:
    """C7: a savepoint that is rolled back takes its jobs along and no others."""
    async with theirs.transaction():
        kept = await ping.enqueue(HI, connection=theirs)
        async with theirs.transaction(force_rollback=True):
            await ping.enqueue(HI, connection=theirs)
    assert (await kept.get()).state == JobState.QUEUED
    assert await num_jobs(context) == 1


async def test_an_enqueue_refused_by_the_caller_s_side_leaves_the_transaction_usable(
    context: Context, ping: JobDefinition[Ping, int], theirs: psycopg.AsyncConnection
) -> None:
    """C7: what we refuse never reaches the transaction."""
    async with theirs.transaction():
        with pytest.raises(ValueError, match="does not fit"):
            await ping.enqueue("hi", connection=theirs)  # type: ignore[call-overload]
        await ping.enqueue(HI, connection=theirs)
    assert await num_jobs(context) == 1


async def test_in_a_transaction_of_a_sync_caller(
    context: Context, ping: JobDefinition[Ping, int], dsn: str
) -> None:
    """C7: the same on a psycopg.Connection: commit, rollback, savepoint."""

    def enqueue() -> list[int]:
        with psycopg.connect(dsn) as connection:
            kept = ping.enqueue_sync(HI, connection=connection)
            with connection.transaction(force_rollback=True):
                ping.enqueue_sync(HI, connection=connection)
            connection.commit()
            gone = ping.enqueue_sync(HI, connection=connection)
            connection.rollback()
        return [kept.id, gone.id]

    kept, gone = await asyncio.to_thread(enqueue)
    assert [job.id for job in await context.jobs.get_many([kept, gone])] == [kept]


@pytest.mark.parametrize("cursors", [psycopg.AsyncCursor, psycopg.AsyncClientCursor, psycopg.AsyncRawCursor])
async def test_the_caller_s_ways_with_rows_and_cursors_do_not_matter_and_stay(
    ping: JobDefinition[Ping, int], dsn: str, cursors: type[psycopg.AsyncCursor[Any]]
) -> None:
    """C7: rows as dicts, parameters bound by the client or as $1."""
    async with await psycopg.AsyncConnection.connect(
        dsn, row_factory=dict_row, cursor_factory=cursors
    ) as connection:
        handle = await ping.enqueue(HI, connection=connection)
        assert await (await connection.execute("select 1 as one")).fetchone() == {"one": 1}
        assert connection.cursor_factory is cursors
    assert await handle.get()


async def test_a_pool_whose_connections_give_dicts(dsn: str, schema: str) -> None:
    """A1: the caller's pool is made for the caller's taste."""
    kwargs = {"autocommit": True, "row_factory": dict_row}
    async with (
        AsyncConnectionPool(dsn, min_size=1, kwargs=kwargs, open=False) as pool,
        Context(pool, schema=schema) as context,
    ):
        await context.migrate()
        ping = define(context)
        await ping.deploy()
        async with Worker(context):
            assert await (await ping.enqueue(HI)).result(timeout_secs=10) == 2


async def test_from_plain_sql(context: Context, ping: JobDefinition[Ping, int], dsn: str) -> None:
    """C7: from any language or a trigger, with the options named."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = await connection.execute(
            f"""select "{context.schema}".enqueue(
                'PING', '{{"message": "from afar"}}', priority => 9, job_group => 'g')""".encode()
        )
        ((job_id,),) = await cursor.fetchall()
        with pytest.raises(psycopg.Error) as caught:
            await connection.execute(f"""select "{context.schema}".enqueue('PONG')""".encode())
        assert caught.value.sqlstate == "CQ001"
    job = await context.jobs.get(job_id)
    assert (job.priority, job.job_group, job.channel) == (9, "g", "mail")
    async with Worker(context):
        assert await ping.handle(job_id).result(timeout_secs=10) == 9


@pytest.mark.parametrize("is_autocommit", [True, False])
async def test_a_pool_of_the_caller(dsn: str, schema: str, is_autocommit: bool) -> None:
    """A1: used whatever its mode, shared by everything, and never closed by us."""
    pool: AsyncConnectionPool[Any]
    async with AsyncConnectionPool(
        dsn, min_size=1, max_size=3, kwargs={"autocommit": is_autocommit}, open=False
    ) as pool:
        async with Context(pool, schema=schema) as context:
            await context.migrate()
            ping = define(context)
            await ping.deploy()
            handles = [await ping.enqueue(HI), ping.enqueue_sync(HI)]
            async with Worker(context):
                assert [await handle.result(timeout_secs=10) for handle in handles] == [2, 2]
            assert await context.jobs.find_problems() == []
        assert not pool.closed
        async with pool.connection() as connection:
            assert connection.autocommit is is_autocommit
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_two_queues_side_by_side(dsn: str, context: Context, ping: JobDefinition[Ping, int]) -> None:
    """A2: two schemas in one database share nothing."""
    async with Context(dsn, schema=f"{context.schema}_b") as other:
        await other.migrate()
        same_name = define(other)
        await same_name.deploy()
        mine, theirs = await ping.enqueue(HI), await same_name.enqueue(HI, delay_secs=60)
        async with Worker(other), Worker(context):
            assert await mine.result(timeout_secs=10) == 2
        assert (await theirs.get()).state == JobState.SCHEDULED
        assert await num_jobs(context) == await num_jobs(other) == 1
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(f'drop schema "{context.schema}_b" cascade'.encode())
