"""attempt.transaction(): the work function's writes and its job's success, together or not at all."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg
import pytest

from cuckmq import Attempt, Context, JobState, Snooze, Worker
from cuckmq.errors import JobFailed


@pytest.fixture
async def effects(context: Context):
    """Read back what jobs have written."""
    async with context.database.connection() as connection:
        await connection.execute(f'create table "{context.schema}".effect (job_id bigint, attempt integer)')

    async def read() -> list[tuple[int, int]]:
        async with context.database.connection() as connection:
            cursor = await connection.execute(f'select * from "{context.schema}".effect order by 1, 2')
            return await cursor.fetchall()

    return read


async def test_effects_are_kept_exactly_if_the_job_succeeds(context: Context, effects):
    """M3: a raising try leaves nothing; the succeeding one leaves its writes and its result."""

    @context.job(name="tx", num_attempts=3, backoff=0)
    async def tx(payload: str, attempt: Attempt) -> str | Snooze:
        async with attempt.transaction() as connection:
            await connection.execute(
                f'insert into "{context.schema}".effect values (%s, %s)', (attempt.job_id, attempt.number)
            )
            if payload == "raise inside" and attempt.number < 3:
                raise RuntimeError
        if payload == "raise after" and attempt.number < 3:
            raise RuntimeError
        if payload == "always":
            raise RuntimeError
        return payload

    await context.deploy()
    async with Worker(context):
        handles = [await tx.enqueue(payload) for payload in ("plain", "raise inside", "raise after")]
        failing = await tx.enqueue("always")
        for handle in handles:
            assert await handle.result(timeout_secs=10) in ("plain", "raise inside", "raise after")
        with pytest.raises(JobFailed):
            await failing.result(timeout_secs=10)
    assert await effects() == [(handles[0].id, 1), (handles[1].id, 3), (handles[2].id, 3)]


async def test_a_caught_error_inside_rolls_back_but_the_job_may_still_succeed(context: Context, effects):
    """M3: leaving the block by an exception undoes it, whoever catches that exception."""

    @context.job(name="tx", num_attempts=1)
    async def tx(payload: int, attempt: Attempt) -> str:
        try:
            async with attempt.transaction() as connection:
                await connection.execute(f'insert into "{context.schema}".effect values (1, 1)')
                raise ValueError
        except ValueError:
            return "caught"

    await context.deploy()
    async with Worker(context):
        assert await (await tx.enqueue(1)).result(timeout_secs=10) == "caught"
    assert await effects() == []


@pytest.mark.fault("G5")
async def test_the_owner_of_a_lost_job_cannot_write(context: Context, effects):
    """M3, E15: who has lost the job is told at the door; who loses it later commits nothing."""

    @context.job(name="tx")
    async def tx(payload: str, attempt: Attempt) -> None:
        if payload == "before":
            await _take_away(context, attempt)
        async with attempt.transaction() as connection:
            await connection.execute(f'insert into "{context.schema}".effect values (1, 1)')

    await context.deploy()
    async with Worker(context):
        handle = await tx.enqueue("before")
        await _until_ended(context, handle.id)
    assert await effects() == []


@pytest.mark.fault("G5")
async def test_a_job_told_to_stop_that_returns_all_the_same_has_no_effects(context: Context, effects):
    """M3, E34: a work function that swallows its cancellation commits nothing; its job goes back at once."""
    started = asyncio.Event()

    @context.job(name="tx")
    async def tx(payload: int, attempt: Attempt) -> str:
        async with attempt.transaction() as connection:
            await connection.execute(f'insert into "{context.schema}".effect values (1, 1)')
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return "done"

    await context.deploy()
    handle = await tx.enqueue(1)
    async with Worker(context, shutdown_secs=0):
        await started.wait()
    job = await handle.get()
    assert (job.state, job.error_count, job.stall_count) == (JobState.QUEUED, 0, 0)
    assert await effects() == []


@pytest.mark.fault("G8")
async def test_ten_thousand_jobs_put_in_by_a_job_that_raises(context: Context, effects):
    """C7, M3: none of them is there, and none runs; those of the try that succeeds all do."""

    @context.job(name="child")
    async def child(payload: int) -> None: ...

    @context.job(name="parent", num_attempts=2, backoff=0)
    async def parent(payload: int, attempt: Attempt) -> None:
        async with attempt.transaction() as connection:
            numbers = list(range(10_000 if attempt.number == 1 else 3))
            await child.enqueue_many(numbers, connection=connection)
        if attempt.number == 1:
            raise ValueError

    await context.deploy()
    async with Worker(context) as worker:
        await (await parent.enqueue(1)).result(timeout_secs=30)
        await worker.wait_until_idle()
    assert (await context.jobs.count())[JobState.SUCCEEDED] == 1 + 3
    assert sum((await context.jobs.count()).values()) == 1 + 3


@pytest.mark.fault("G9")
async def test_a_transaction_that_is_left_broken(context: Context, effects):
    """M3: who swallows an error of SQL commits nothing and hears why; the next finds all as it should be."""

    @context.job(name="tx")
    async def tx(payload: str, attempt: Attempt) -> str:
        async with attempt.transaction() as connection:
            cursor = await connection.execute("select current_setting('work_mem'), pg_backend_pid()")
            found = await cursor.fetchone()
            await connection.execute(f'insert into "{context.schema}".effect values (1, 1)')
            if payload == "break":
                await connection.execute("set local work_mem = '66kB'")
                await connection.execute("declare c cursor for select 1")
                with contextlib.suppress(psycopg.Error):
                    await connection.execute("select 1/0")
            return str(found)

    await context.deploy()
    async with Worker(context, concurrency=1):
        first = await (await tx.enqueue("")).result(timeout_secs=10)
        for _ in range(3):
            with pytest.raises(JobFailed, match="InFailedSqlTransaction"):
                await (await tx.enqueue("break")).result(timeout_secs=10)
        last = await (await tx.enqueue("")).result(timeout_secs=10)
    assert last.split(",")[0] == first.split(",")[0]
    assert await effects() == [(1, 1)] * 2


async def _take_away(context: Context, attempt: Attempt) -> None:
    async with context.database.connection() as connection, connection.transaction():
        cursor = await connection.execute(
            f'select "{context.schema}".recall(%s, %s)', (attempt.worker_id, [])
        )
        assert await cursor.fetchone() == ([attempt.job_id],)
        await connection.execute(f'select "{context.schema}".cancel(%s)', (attempt.job_id,))


async def _until_ended(context: Context, job_id: int) -> None:
    from tests.support.eventually import eventually

    async def is_ended() -> bool:
        return (await context.jobs.get(job_id)).state in (JobState.CANCELLED, JobState.SUCCEEDED)

    await eventually(is_ended)
