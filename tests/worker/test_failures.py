"""What becomes of a job whose try went wrong."""

from __future__ import annotations

import pytest

from cuckmq import Attempt, Context, Fail, JobState, Linear, Retry, Snooze, Worker
from cuckmq.errors import JobFailed
from cuckmq.events import AttemptFailed, AttemptSucceeded, Event
from cuckmq.events import JobFailed as JobFailedEvent
from cuckmq.outcome import Verdict
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


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize("how", ["returned", "raised"])
async def test_retry_takes_the_place_of_the_backoff_and_counts_as_an_error(
    context: Context, how: str, kind: str
):
    """F2, F7: returned or raised, async or sync: an error with a wait of its own, until no try is left."""

    def say(number: int) -> Retry:
        verdict = Retry(0 if number == 1 else 600, f"busy {number}")
        if how == "raised":
            raise verdict
        return verdict

    if kind == "async":

        @context.job(name="busy", num_attempts=3, backoff=5_000)
        async def busy_async(payload: None, attempt: Attempt) -> str | Retry:
            return say(attempt.number)
    else:

        @context.job(name="busy", num_attempts=3, backoff=5_000)
        def busy_sync(payload: None, attempt: Attempt) -> str | Retry:
            return say(attempt.number)

    events: list[Event] = []
    context.add_event_handler(events.append)
    await context.deploy()
    async with Worker(context):
        handle = await context.definitions["busy"].enqueue()

        async def is_waiting() -> bool:
            job = await handle.get()
            return job.state == JobState.SCHEDULED and job.error_count == 2

        await eventually(is_waiting)
        assert 590 < await scheduled_in_secs(context, handle.id) <= 600
    job = await handle.get()
    assert [(each.attempt, each.type, each.message) for each in job.errors] == [
        (1, "Retry", "busy 1"),
        (2, "Retry", "busy 2"),
    ]
    failed = [each for each in events if isinstance(each, AttemptFailed)]
    assert [(each.error_type, each.error, each.state) for each in failed] == [
        ("Retry", "busy 1", JobState.SCHEDULED),
        ("Retry", "busy 2", JobState.SCHEDULED),
    ]


async def test_a_retry_without_a_try_left_fails_the_job(context: Context):
    """F2, F8: `Retry` is an error; one try is one try."""

    @context.job(name="busy")
    async def busy() -> str | Retry:
        return Retry(0)

    await context.deploy()
    async with Worker(context):
        handle = await busy.enqueue()
        with pytest.raises(JobFailed, match="Retry: to be tried again after 0 s") as caught:
            await handle.result(timeout_secs=10)
    assert caught.value.reason == "error"
    assert (await handle.get()).error_count == 1


@pytest.mark.parametrize("how", ["returned", "raised"])
async def test_a_verdict_is_told_the_same_whether_returned_or_raised(context: Context, how: str):
    """F7, F8: `Fail` is a failure and `Snooze` no success, however they are said."""

    def say(verdict: Verdict) -> Verdict:
        if how == "raised":
            raise verdict
        return verdict

    @context.job(name="fail")
    async def fail() -> Fail | None:
        return say(Fail("no"))  # type: ignore[return-value]

    @context.job(name="snooze")
    async def snooze() -> Snooze | None:
        return say(Snooze(600))  # type: ignore[return-value]

    events: list[Event] = []
    context.add_event_handler(events.append)
    await context.deploy()
    async with Worker(context):
        failed, snoozed = await fail.enqueue(), await snooze.enqueue()

        async def are_settled() -> bool:
            states = [(await each.get()).state for each in (failed, snoozed)]
            return states == [JobState.FAILED, JobState.SCHEDULED]

        await eventually(are_settled)
    told = [
        (type(each).__name__, each.job_id)
        for each in events
        if isinstance(each, AttemptSucceeded | AttemptFailed | JobFailedEvent)
    ]
    assert told == [("AttemptFailed", failed.id), ("JobFailed", failed.id)]
