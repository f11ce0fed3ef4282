"""What becomes of a job whose try went wrong."""

from __future__ import annotations

from cuckmq import Attempt, Context, JobState, Linear, Worker
from tests.support.eventually import eventually


async def scheduled_in_secs(context: Context, job_id: int) -> float:
    """How far off the next try of a job is, by the database's clock."""
    async with context.database.connection() as connection:
        cursor = await connection.execute(
            f"select extract(epoch from run_at - clock_timestamp())::float8"
            f' from "{context.schema}".scheduled where job_id = %s',
            (job_id,),
        )
        row = await cursor.fetchone()
        assert row is not None
        return row[0]


async def test_a_strategy_tells_the_wait_before_the_next_try(context: Context):
    """F3: the wait is the strategy's for the number of errors so far."""

    @context.job(
        name="flaky", num_attempts=3, backoff=lambda errors: 0 if errors == 1 else Linear(300)(errors)
    )
    async def flaky(payload: None, attempt: Attempt) -> None:
        raise ValueError(attempt.number)

    await context.deploy()
    async with Worker(context):
        handle = await flaky.enqueue()

        async def failed_twice() -> bool:
            job = await handle.get()
            return job.state == JobState.SCHEDULED and job.error_count == 2

        await eventually(failed_twice)
        assert 590 < await scheduled_in_secs(context, handle.id) <= 600
