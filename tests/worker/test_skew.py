"""Producers and workers of different versions, rows that others change, and numbers that have grown large."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from cuckmq import Attempt, Context, JobState, Worker
from cuckmq.errors import JobFailed


class Order(BaseModel):
    """As version 1 knows it."""

    number: int


class NewOrder(Order):
    """Version 2 asks for more."""

    country: str


@pytest.mark.fault("F8")
async def test_versions_that_know_other_fields(context: Context, dsn: str) -> None:
    """B2: what is too much is passed over; what is missing fails as such, and runs where it is not missed."""

    @context.job(name="order")
    async def old(payload: Order) -> str:
        return f"old {payload.number}"

    newer = Context(dsn, schema=context.schema)

    @newer.job(name="order", num_attempts=5)
    async def new(payload: NewOrder) -> str:
        return f"new {payload.number} {payload.country}"

    async with newer:
        await context.deploy()
        await newer.deploy()
        async with Worker(context):
            handle = await new.enqueue(NewOrder(number=1, country="x"))
            assert await handle.result(timeout_secs=10) == "old 1"
        async with Worker(newer) as worker:
            outdated = await old.enqueue(Order(number=2))
            with pytest.raises(JobFailed, match="country: Field required") as caught:
                await outdated.result(timeout_secs=10)
            fits = await new.enqueue(NewOrder(number=3, country="y"))
            assert await fits.result(timeout_secs=10) == "new 3 y"
            assert (await fits.get()).worker_id == worker.worker_id
        job = await outdated.get()
        assert (caught.value.reason, job.attempt, job.error_count) == ("invalid_payload", 1, 0)
        assert await newer.jobs.retry(outdated.id)
        async with Worker(context):
            assert await old.handle(outdated.id).result(timeout_secs=10) == "old 2"


@pytest.mark.fault("F10")
async def test_a_stranger_changes_the_row_of_a_job_that_runs(context: Context) -> None:
    """E15: its end is settled as if nothing had been; the next try reads what stands there now."""

    @context.job(name="count", num_attempts=2, backoff=0)
    async def count(payload: int, attempt: Attempt) -> int:
        async with context.database.connection() as connection:
            await connection.execute(
                f"""update "{context.schema}".job set payload = '"changed"', num_attempts = 7,"""
                " run_at = run_at - interval '1 day' where id = %s",
                (attempt.job_id,),
            )
        if payload < 0:
            raise ValueError
        return payload

    await context.deploy()
    async with Worker(context):
        ended, retried = await count.enqueue(5), await count.enqueue(-5)
        assert await ended.result(timeout_secs=10) == 5
        with pytest.raises(JobFailed) as caught:
            await retried.result(timeout_secs=10)
    assert caught.value.reason == "invalid_payload"
    assert ((await retried.get()).attempt, (await ended.get()).state) == (2, JobState.SUCCEEDED)


@pytest.mark.fault("F11")
async def test_ids_beyond_32_bits(context: Context) -> None:
    """B1: of jobs and workers: whatever is done with them."""
    far = 2**40
    async with context.database.connection() as connection:
        await connection.execute(f"""select setval('"{context.schema}".job_id_seq', {far})""")
        await connection.execute(f'alter table "{context.schema}".worker alter column id restart with {far}')

    @context.job(name="do", num_attempts=2, backoff=0)
    async def do(payload: str, attempt: Attempt) -> int:
        attempt.progress(0.5)
        attempt.update({"number": attempt.number})
        if payload == "again" and attempt.number == 1:
            raise ValueError
        if payload == "write":
            async with attempt.transaction():
                pass
        return attempt.number

    await context.deploy()
    async with Worker(context) as worker:
        assert worker.worker_id >= far
        plain = await do.enqueue("plain", job_group="g", unique_key="k")
        others = [await do.enqueue("again"), await do.enqueue("write"), await do.enqueue("x", after=plain)]
        handles = [plain, *others]
        assert [await each.result(timeout_secs=10) for each in handles] == [1, 2, 1, 1]
        late = await do.enqueue("late", delay_secs=3600)
        assert await late.cancel()
        assert await context.jobs.retry(late.id)
        assert await late.result(timeout_secs=10) == 1
    assert min(each.id for each in handles) > far
