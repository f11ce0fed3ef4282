"""Exceptions that are not tried again, on a worker."""

from __future__ import annotations

import pytest

from cuckmq import Attempt, Context, JobState, Retry, Worker
from cuckmq.errors import JobFailed
from cuckmq.events import AttemptFailed, Event
from cuckmq.events import JobFailed as JobFailedEvent
from cuckmq.types import UNLIMITED


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_what_must_not_be_retried_fails_at_once(context: Context, kind: str):
    """F4: tries are left, yet it has failed; the error is counted, kept and told."""
    options = {"num_attempts": 5, "backoff": 0, "retry_on": (OSError,), "no_retry_on": (FileNotFoundError,)}
    errors = [PermissionError("busy"), FileNotFoundError("gone")]

    if kind == "async":

        @context.job(name="read", **options)
        async def read_async() -> None:
            raise errors.pop(0)
    else:

        @context.job(name="read", **options)
        def read_sync() -> None:
            raise errors.pop(0)

    events: list[Event] = []
    context.add_event_handler(events.append)
    await context.deploy()
    async with Worker(context):
        handle = await context.definitions["read"].enqueue()
        with pytest.raises(JobFailed, match="FileNotFoundError: gone") as caught:
            await handle.result(timeout_secs=10)
    assert caught.value.reason == "error"
    job = await handle.get()
    assert (job.attempt, job.error_count, job.num_attempts) == (2, 2, 5)
    assert [each.type for each in job.errors] == ["PermissionError", "FileNotFoundError"]
    told = [each for each in events if isinstance(each, AttemptFailed)]
    assert [each.state for each in told] == [JobState.SCHEDULED, JobState.FAILED]
    assert [each.reason for each in events if isinstance(each, JobFailedEvent)] == ["error"]


async def test_an_unnamed_exception_is_not_retried_when_some_are_named(context: Context):
    """F4: retry_on means these alone."""

    @context.job(name="parse", num_attempts=5, backoff=0, retry_on=(OSError,))
    async def parse() -> None:
        raise ValueError("no number")

    await context.deploy()
    async with Worker(context):
        handle = await parse.enqueue()
        with pytest.raises(JobFailed, match="ValueError: no number"):
            await handle.result(timeout_secs=10)
    assert (await handle.get()).error_count == 1


async def test_a_verdict_goes_by_no_rule(context: Context):
    """F4: Retry says by itself that it is to be tried again."""
    answers: list[Retry | str] = [Retry(0), "done"]

    @context.job(name="poll", num_attempts=2, no_retry_on=(Exception,))
    async def poll() -> str | Retry:
        return answers.pop(0)

    await context.deploy()
    async with Worker(context):
        handle = await poll.enqueue()
        assert await handle.result(timeout_secs=10) == "done"


async def test_the_last_of_all_failures_is_told_as_such(context: Context):
    """F4: num_failures ends it though tries are left; the attempt knows, and so does everybody who asks."""
    is_last: list[bool] = []

    @context.job(name="flaky", num_attempts=None, num_stalls=None, num_failures=2, backoff=0)
    async def flaky(payload: None, attempt: Attempt) -> None:
        is_last.append(attempt.is_last)
        raise ValueError(attempt.number)

    events: list[Event] = []
    context.add_event_handler(events.append)
    await context.deploy()
    async with Worker(context):
        handle = await flaky.enqueue()
        with pytest.raises(JobFailed, match="ValueError: 2") as caught:
            await handle.result(timeout_secs=10)
    assert caught.value.reason == "exhausted"
    assert is_last == [False, True]
    job = await handle.get()
    assert (job.reason, job.num_attempts, job.num_stalls, job.num_failures) == ("exhausted", None, None, 2)
    told = [each for each in events if isinstance(each, AttemptFailed)]
    assert [each.state for each in told] == [JobState.SCHEDULED, JobState.FAILED]
    assert [each.reason for each in events if isinstance(each, JobFailedEvent)] == ["exhausted"]


@pytest.mark.parametrize("option", ["num_attempts", "num_stalls", "num_failures"])
async def test_a_limit_can_be_lifted_for_one_job(context: Context, option: str):
    """F4: None for no limit at definition, UNLIMITED at enqueue, where None means as the definition says."""
    limited = context.job(name="limited", **{option: 2})(nothing)
    free = context.job(name="free", **{option: None})(nothing)
    await context.deploy()
    for definition, said, expected in (
        (limited, None, 2),
        (limited, UNLIMITED, None),
        (free, None, None),
        (free, 5, 5),
    ):
        job = await (await definition.enqueue(**{option: said})).get()
        assert getattr(job, option) == expected


def nothing() -> None: ...
