"""Unique keys in Python: who is put in, what a duplicate is told, and finding by key."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import BaseModel

from cuckmq import Context, JobDefinition, JobState, Worker
from cuckmq.errors import (
    ConfigurationError,
    DefinitionError,
    DuplicateJob,
    EnqueueError,
    EnqueueUnknown,
    InvalidName,
    KeyNotFound,
    NotFound,
)
from cuckmq.events import Event, JobDeduplicated, JobEnqueued


class Invoice(BaseModel):
    number: int
    is_draft: bool = False


@pytest.fixture
async def send(context: Context) -> JobDefinition[Invoice, int]:
    @context.job(name="SEND")
    async def send(invoice: Invoice) -> int:
        return invoice.number

    await send.deploy()
    return send


def key_of(invoice: Invoice) -> str | None:
    return None if invoice.is_draft else f"invoice-{invoice.number}"


def nothing() -> None: ...


async def num_jobs(context: Context) -> int:
    return sum((await context.jobs.count()).values())


async def test_a_duplicate_is_a_handle_on_the_job_that_is_there(
    context: Context, send: JobDefinition[Invoice, int]
) -> None:
    """C8: its result is the answer for both; when it has ended the key is free."""
    first = await send.enqueue(Invoice(number=7), unique_key="invoice-7")
    second = await send.enqueue(Invoice(number=8), unique_key="invoice-7")
    assert (second.id, second.is_duplicate, first.is_duplicate) == (first.id, True, False)
    async with Worker(context):
        assert await second.result(timeout_secs=10) == 7
        third = await send.enqueue(Invoice(number=9), unique_key="invoice-7")
        assert not third.is_duplicate
        assert await third.result(timeout_secs=10) == 9


async def test_a_duplicate_is_told_of(context: Context, send: JobDefinition[Invoice, int]) -> None:
    """I17: JobDeduplicated in the place of JobEnqueued, naming the job that is there, and the key."""
    seen: list[Event] = []
    context.add_event_handler(seen.append)
    handles = await send.enqueue_many([Invoice(number=1), Invoice(number=1)], unique_key=key_of)
    assert [type(event) for event in seen] == [JobEnqueued, JobDeduplicated]
    told = seen[1]
    assert isinstance(told, JobDeduplicated)
    assert (told.job_id, told.name, told.unique_key) == (handles[0].id, "SEND", "invoice-1")


async def test_a_definition_names_the_keys_of_its_jobs(context: Context) -> None:
    """C8: by a function of the payload, which may name none; an enqueue may say otherwise."""

    @context.job(name="BILL", unique_key=key_of, unique_scope="queued")
    async def bill(invoice: Invoice) -> None: ...

    await bill.deploy()
    seven = Invoice(number=7)
    assert not (await bill.enqueue(seven)).is_duplicate
    assert (await bill.enqueue(seven)).is_duplicate
    assert not (await bill.enqueue(seven, unique_key="again")).is_duplicate
    draft = Invoice(number=7, is_draft=True)
    assert not any(handle.is_duplicate for handle in await bill.enqueue_many([draft, draft]))
    with pytest.raises(DuplicateJob):
        await bill.enqueue(seven, on_duplicate="raise")


async def test_a_fixed_key_keeps_repeats_from_piling_up(context: Context) -> None:
    """C8: one job at a time stands in the queue, whoever enqueues it."""

    @context.job(name="SWEEP", unique_key="one")
    async def sweep() -> None: ...

    await sweep.deploy()
    handle = await sweep.enqueue()
    async with context.database.connection() as connection:
        row = await (
            await connection.execute(f"select {context.schema}.enqueue('SWEEP')".encode())
        ).fetchone()
    assert row == (handle.id,)
    assert await num_jobs(context) == 1


async def test_an_id_of_the_callers_own(context: Context, send: JobDefinition[Invoice, int]) -> None:
    """C2: unique as long as the job is known, its history included; duplicates are refused; found by it."""
    own: dict[str, Any] = {"unique_scope": "kept", "on_duplicate": "raise"}
    handle = await send.enqueue(Invoice(number=7), unique_key="order-17", **own)
    async with Worker(context):
        await handle.result(timeout_secs=10)
    with pytest.raises(DuplicateJob, match=f'"order-17" is held by job {handle.id}') as refused:
        await send.enqueue(Invoice(number=7), unique_key="order-17", **own)
    assert refused.value.job_id == handle.id
    assert isinstance(refused.value, EnqueueError)
    found = await send.find("order-17")
    assert (found.id, await found.result(timeout_secs=0)) == (handle.id, 7)
    assert (await asyncio.to_thread(send.find_sync, "order-17")).id == handle.id
    with pytest.raises(KeyNotFound, match="no job 'SEND' holds the unique key 'order-18'"):
        await send.find("order-18")
    assert issubclass(KeyNotFound, NotFound)


async def test_for_a_time(context: Context, send: JobDefinition[Invoice, int]) -> None:
    """C8: unique_for_secs says the scope by itself; seconds or a timedelta."""
    first = await send.enqueue(Invoice(number=7), unique_key="a", unique_for_secs=timedelta(hours=1))
    assert await first.cancel()
    assert (await send.enqueue(Invoice(number=7), unique_key="a")).is_duplicate
    short = await send.enqueue(Invoice(number=7), unique_key="b", unique_for_secs=0.001)
    while (later := await send.enqueue(Invoice(number=7), unique_key="b", unique_for_secs=3600)).is_duplicate:
        assert later.id == short.id
    assert (await send.enqueue(Invoice(number=7), unique_key="b", unique_scope="live")).id == later.id


async def test_in_a_transaction_of_the_caller(
    context: Context, send: JobDefinition[Invoice, int], dsn: str
) -> None:
    """C7, C8: a duplicate leaves the transaction whole; a rollback gives the key back."""
    first = await send.enqueue(Invoice(number=1), unique_key="a")
    async with await psycopg.AsyncConnection.connect(dsn) as theirs:
        assert (await send.enqueue(Invoice(number=1), unique_key="a", connection=theirs)).is_duplicate
        mine = await send.enqueue(Invoice(number=2), unique_key="b", connection=theirs)
        assert (await send.enqueue(Invoice(number=2), unique_key="b", connection=theirs)).id == mine.id
        await theirs.rollback()
    assert not (await send.enqueue(Invoice(number=2), unique_key="b")).is_duplicate
    assert (await first.get()).state == JobState.QUEUED


async def test_from_sync_code(send: JobDefinition[Invoice, int]) -> None:
    """C3, C8: enqueue_sync and enqueue_many_sync do what their async likes do."""
    payloads = [Invoice(number=1), Invoice(number=1), Invoice(number=2)]
    handles = await asyncio.to_thread(lambda: send.enqueue_many_sync(payloads, unique_key=key_of))
    assert [handle.is_duplicate for handle in handles] == [False, True, False]
    again = await asyncio.to_thread(lambda: send.enqueue_sync(payloads[2], unique_key=key_of))
    assert (again.id, again.is_duplicate) == (handles[2].id, True)


@pytest.mark.fault("H11")
async def test_many_producers_and_a_worker_never_have_two_of_one_key(context: Context) -> None:
    """C8: 400 enqueues of 3 keys beside the worker that ends their jobs: no overlap, and none is lost."""
    active: set[str] = set()
    runs: list[str] = []

    @context.job(name="SERVE", unique_key=lambda key: key)
    async def serve(key: str) -> None:
        assert key not in active
        active.add(key)
        await asyncio.sleep(0)
        runs.append(key)
        active.remove(key)

    await serve.deploy()

    async def produce() -> int:
        put_in = 0
        for number in range(100):
            put_in += not (await serve.enqueue("abc"[number % 3])).is_duplicate
        return put_in

    async with Worker(context, concurrency=10) as worker:
        put_in = sum(await asyncio.gather(*(produce() for _ in range(4))))
        await worker.wait_until_idle()
    assert (await context.jobs.count())[JobState.SUCCEEDED] == put_in == len(runs)
    assert put_in < 400


@pytest.mark.fault("H11")
async def test_twenty_producers_of_one_key_whose_sessions_are_terminated(
    context: Context, dsn: str, send: JobDefinition[Invoice, int]
) -> None:
    """C8: whoever heard an answer heard of the same job, and there is no other."""
    name, wanted = f"herd of {context.schema}", 40
    answers: list[int] = []
    broken: list[Exception] = []
    is_over = asyncio.Event()

    async with AsyncExitStack() as stack:
        herds = []
        for _ in range(2):
            herd = Context(make_conninfo(dsn, application_name=name), schema=context.schema)
            await stack.enter_async_context(herd)
            herds.append(JobDefinition(context=herd, name="SEND", work_function=serve_invoice))

        async def produce(herd: JobDefinition[Invoice, int]) -> None:
            while not is_over.is_set():
                try:
                    answers.append((await herd.enqueue(Invoice(number=1), unique_key="one")).id)
                except (EnqueueUnknown, psycopg.OperationalError) as error:
                    broken.append(error)

        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as axe:
            producers = [asyncio.create_task(produce(herd)) for herd in herds for _ in range(10)]
            num_killed = 0
            while num_killed < wanted or len(answers) < 500:
                cursor = await axe.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = %s order by random() limit 2",
                    (name,),
                )
                num_killed += cursor.rowcount
                await asyncio.sleep(0.02)
            is_over.set()
            await asyncio.gather(*producers)
    assert broken
    assert len(set(answers)) == 1
    assert await num_jobs(context) == 1


async def serve_invoice(invoice: Invoice) -> int:
    return invoice.number


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unique_scope": "live"}, "say how a unique_key is meant: give one"),
        ({"on_duplicate": "raise"}, "say how a unique_key is meant: give one"),
        ({"unique_key": "a", "unique_scope": "ever"}, "'ever' is no unique_scope: take one of queued, live"),
        ({"unique_key": "a", "unique_scope": "for"}, "needs to know how long: give unique_for_secs"),
        ({"unique_key": "a", "unique_scope": "live", "unique_for_secs": 1}, "not both"),
        ({"unique_key": "a", "unique_for_secs": 0}, "unique_for_secs is 0: allowed are 0.001"),
        ({"unique_key": "a", "on_duplicate": "ignore"}, "'return' or 'raise', not 'ignore'"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    context: Context, send: JobDefinition[Invoice, int], options: dict[str, Any], message: str
) -> None:
    """C8: at the enqueue, and at the definition."""
    with pytest.raises(ConfigurationError, match=message):
        await send.enqueue(Invoice(number=1), **options)
    with pytest.raises(ConfigurationError, match=message):
        context.job(name="WRONG", **options)(nothing)
    assert await num_jobs(context) == 0


@pytest.mark.parametrize("key", ["", "a" * 501, "a\nb", 7])
async def test_what_is_no_key_is_refused(
    context: Context, send: JobDefinition[Invoice, int], key: Any
) -> None:
    """C8: given at once, or by a function."""
    for given in (key, lambda _: key):
        with pytest.raises(InvalidName, match="unique key"):
            await send.enqueue(Invoice(number=1), unique_key=given)
    assert issubclass(DefinitionError, ConfigurationError)
    with pytest.raises(InvalidName, match="unique key"):
        context.job(name="WRONG", unique_key=key)(nothing)
