"""What cuckmq offers to the tests of its users."""

from __future__ import annotations

import psycopg
import pytest

from cuckmq import Attempt, Context, JobState
from cuckmq.testing import drain, temporary_context


def define(context: Context) -> None:
    @context.job(name="parent")
    async def parent(payload: int) -> int:
        for number in range(payload):
            await context.definitions["child"].enqueue(number)
        return payload

    @context.job(name="child", num_attempts=2, backoff=1000)
    async def child(payload: int, attempt: Attempt) -> int:
        if payload == 1:
            raise ValueError
        return payload


async def test_a_temporary_context_and_a_worker_on_command(dsn: str):
    """A7, C9: a schema for one test, and jobs run here and now, with those that they put in."""
    async with temporary_context(define, pool_or_dsn=dsn) as context:
        await context.definitions["parent"].enqueue(3)
        await context.definitions["child"].enqueue(7, delay_secs=100)
        jobs = await drain(context)
        assert [(job.name, job.payload, job.state) for job in jobs] == [
            ("parent", 3, JobState.SUCCEEDED),
            ("child", 0, JobState.SUCCEEDED),
            ("child", 1, JobState.SCHEDULED),
            ("child", 2, JobState.SUCCEEDED),
        ]
        assert await drain(context) == []
        schema = context.schema
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select to_regnamespace(%s)", (schema,)).fetchone() == (None,)


async def test_orphans_do_not_keep_a_drain_from_ending(context: Context, dsn: str):
    """A7: what this context cannot run is left alone."""

    @context.job(name="mine")
    async def mine() -> None: ...

    async with Context(dsn, schema=context.schema) as other:

        @other.job(name="theirs")
        async def theirs() -> None: ...

        await context.deploy()
        await other.deploy()
        await theirs.enqueue()
        await mine.enqueue()
        assert [job.name for job in await drain(context)] == ["mine"]


async def test_a_drain_ends_in_time(context: Context):
    """A7: a job that does not end is an error, not a test that hangs."""
    import asyncio

    @context.job(name="stuck")
    async def stuck() -> None:
        await asyncio.Event().wait()

    await context.deploy()
    await stuck.enqueue()
    with pytest.raises(TimeoutError):
        await drain(context, timeout_secs=0.3)
