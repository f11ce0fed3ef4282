"""Asking after a job: its record, its result, its end, from any process and at any time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cuckmq import Cancel, Context, Fail, JobDefinition, JobState, Worker
from cuckmq.errors import (
    ConfigurationError,
    InvalidResult,
    JobCancelled,
    JobFailed,
    JobNotFound,
    ResultTimeout,
)
from cuckmq.events import DefinitionDeployed, Event, JobEnqueued


@pytest.fixture
async def act(context: Context) -> JobDefinition[str, str]:
    """A job that does what its payload says."""

    @context.job(name="ACT")
    async def act(payload: str) -> str | Cancel | Fail:
        match payload:
            case "raise":
                raise KeyError("lost")
            case "cancel":
                return Cancel("not wanted")
            case "fail":
                return Fail("declined")
            case _:
                return payload.upper()

    await act.deploy()
    return act


async def purge(context: Context, dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(f'select "{context.schema}".purge(-60)'.encode())


async def test_a_job_that_succeeded(context: Context, act: JobDefinition[str, str]) -> None:
    """G1, G3, G7: the result is stored, with the times, and is told however late one asks."""
    handle = await act.enqueue("hi")
    async with Worker(context):
        assert await handle.result(timeout_secs=10) == "HI"
    assert await handle.result() == "HI"
    assert await act.handle(handle.id).result(timeout_secs=0) == "HI"
    job = await handle.get()
    assert (job.state, job.result, job.attempt, job.errors) == (JobState.SUCCEEDED, "HI", 1, ())
    assert job.started_at is not None
    assert job.finalized_at is not None
    assert job.created_at <= job.started_at <= job.finalized_at <= datetime.now(UTC)
    assert await handle.cancel() is False


@pytest.mark.parametrize(
    ("payload", "reason", "told"),
    [
        ("raise", "error", r"failed \(error\): KeyError: 'lost'"),
        ("fail", "declared", r"\(declared\): Fail: declined"),
    ],
)
async def test_a_job_that_failed(
    context: Context, act: JobDefinition[str, str], payload: str, reason: str, told: str
) -> None:
    """G2, G3: the error is stored: type, message, traceback, attempt."""
    handle = await act.enqueue(payload)
    async with Worker(context):
        with pytest.raises(JobFailed, match=told) as caught:
            await handle.result(timeout_secs=10)
    assert (caught.value.job_id, caught.value.reason) == (handle.id, reason)
    job = await handle.get()
    assert (job.state, job.reason, job.result) == (JobState.FAILED, reason, None)
    (error,) = job.errors
    assert error.attempt == 1
    assert datetime.fromisoformat(error.at).tzinfo
    if payload == "raise":
        assert error.type == "KeyError"
        assert 'raise KeyError("lost")' in error.traceback


async def test_a_job_that_was_cancelled(context: Context, act: JobDefinition[str, str]) -> None:
    """G3: by its handle before it ran, or by its own word."""
    before, own = await act.enqueue("hi", delay_secs=60), await act.enqueue("cancel")
    assert await before.cancel() is True
    assert await before.cancel() is False
    async with Worker(context):
        for handle in (before, own):
            with pytest.raises(JobCancelled, match=f"job {handle.id} was cancelled"):
                await handle.result(timeout_secs=10)
            assert (await handle.get()).state == JobState.CANCELLED


@pytest.mark.parametrize("secs", [0, 0.05])
async def test_waiting_has_a_limit(act: JobDefinition[str, str], secs: float) -> None:
    """G4: the waiting ends and the job goes on."""
    handle = await act.enqueue("hi", delay_secs=60)
    with pytest.raises(ResultTimeout, match=f"job {handle.id} did not end within {secs:g} s; it goes on"):
        await handle.result(timeout_secs=secs)
    assert (await handle.get()).state == JobState.SCHEDULED


@pytest.mark.parametrize("payload", ["hi", "raise", "cancel"])
async def test_what_ended_is_told_with_no_time_to_wait(
    context: Context, act: JobDefinition[str, str], payload: str
) -> None:
    """G3, G4: a limit of 0 is one look, and one look is enough for a job that has ended."""
    handle = await act.enqueue(payload)
    async with Worker(context) as worker:
        await worker.wait_until_idle()
    for _ in range(20):
        try:
            assert await handle.result(timeout_secs=0) == "HI"
        except (JobFailed, JobCancelled):
            assert payload != "hi"


async def test_a_thousand_waiters_use_one_connection(
    context: Context, act: JobDefinition[str, str], dsn: str, schema: str
) -> None:
    """G3: those who wait in a process are served together, by one question at a time."""
    handles = await act.enqueue_many([f"hi {i}" for i in range(1_000)])
    async with Context(make_conninfo(dsn, application_name=schema), schema=schema) as elsewhere:
        same = elsewhere.job(name="ACT")(act.work_function)
        waiting = [asyncio.create_task(same.handle(each.id).result(timeout_secs=60)) for each in handles]
        async with Worker(context):
            assert len(set(await asyncio.gather(*waiting))) == 1_000
        async with context.database.connection() as connection:
            cursor = await connection.execute(
                "select count(*) from pg_stat_activity where application_name = %s", [schema]
            )
            assert await cursor.fetchone() == (1,)


@pytest.mark.parametrize("secs", [-1, "5", True, float("nan")])
async def test_a_limit_that_is_none(act: JobDefinition[str, str], secs: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout_secs"):
        await act.handle(1).result(timeout_secs=secs)


async def test_several_wait_for_one_job_and_one_gives_up(
    context: Context, act: JobDefinition[str, str]
) -> None:
    """G3: those who wait do not disturb each other."""
    handle = await act.enqueue("hi")
    waiting = [asyncio.create_task(act.handle(handle.id).result(timeout_secs=10)) for _ in range(5)]
    with pytest.raises(ResultTimeout):
        await handle.result(timeout_secs=0.02)
    waiting.pop().cancel()
    async with Worker(context):
        assert await asyncio.gather(*waiting) == ["HI"] * 4


@pytest.mark.parametrize("job_id", [0, -1, 10**15])
async def test_a_job_that_never_was(context: Context, act: JobDefinition[str, str], job_id: int) -> None:
    """H1: said at once rather than waited for."""
    for asking in (act.handle(job_id).get, act.handle(job_id).result, lambda: context.jobs.get(job_id)):
        with pytest.raises(JobNotFound, match=f"there is no job {job_id}") as caught:
            await asking()
        assert caught.value.job_id == job_id
        assert isinstance(caught.value, LookupError)
    assert await act.handle(job_id).cancel() is False
    assert await context.jobs.get_many([job_id]) == []


async def test_a_job_that_was_purged(context: Context, act: JobDefinition[str, str], dsn: str) -> None:
    """G3, H1: gone is gone."""
    handle = await act.enqueue("hi")
    async with Worker(context):
        await handle.result(timeout_secs=10)
    await purge(context, dsn)
    with pytest.raises(JobNotFound, match="it was purged, or"):
        await handle.get()
    with pytest.raises(JobNotFound, match="it was purged, or"):
        await handle.result()


async def test_a_result_that_is_of_another_type_than_asked_for(
    context: Context, act: JobDefinition[str, str]
) -> None:
    """G1: a definition that has changed its result type finds old results out."""

    @context.job(name="OTHER")
    async def other(payload: str) -> int:
        return len(payload)

    handle = await act.enqueue("hunter2")
    async with Worker(context):
        await handle.result(timeout_secs=10)
    with pytest.raises(InvalidResult, match="the result of job 'OTHER' does not fit") as caught:
        await other.handle(handle.id).result()
    assert "HUNTER2" not in str(caught.value)


async def test_counts_by_state(context: Context, act: JobDefinition[str, str]) -> None:
    """H2: every state has its count, zeros too."""
    assert await context.jobs.count() == dict.fromkeys(JobState, 0)
    for payload in ("hi", "raise", "cancel"):
        await act.enqueue(payload)
    await act.enqueue("later", delay_secs=60)
    assert await context.jobs.count() == dict.fromkeys(JobState, 0) | {
        JobState.QUEUED: 3,
        JobState.SCHEDULED: 1,
    }
    async with Worker(context):
        pass
    assert await context.jobs.count() == dict.fromkeys(JobState, 0) | {
        JobState.SUCCEEDED: 1,
        JobState.FAILED: 1,
        JobState.CANCELLED: 1,
        JobState.SCHEDULED: 1,
    }


async def test_many_jobs_in_the_order_asked_for(context: Context, act: JobDefinition[str, str]) -> None:
    """H1: those that are not there are left out."""
    ids = [handle.id for handle in await act.enqueue_many(["a", "b", "c"])]
    jobs = await context.jobs.get_many([ids[2], 10**15, ids[0]])
    assert [job.payload for job in jobs] == ["c", "a"]


async def test_redeploying_changes_what_comes_after(context: Context, dsn: str) -> None:
    """B4: redeploy is safe; jobs that are there stay as they were put in."""

    async def work(payload: str) -> None: ...

    first = context.job(name="WORK", num_attempts=2)(work)
    await first.deploy()
    old = await first.enqueue("x")
    async with Context(dsn, schema=context.schema) as newer:
        second = newer.job(name="WORK", num_attempts=7, channel="fast", priority=3, delay_secs=60)(work)
        await second.deploy()
        await second.deploy()
        new = await (await second.enqueue("x")).get()
    assert (new.num_attempts, new.channel, new.priority, new.state) == (7, "fast", 3, JobState.SCHEDULED)
    job = await old.get()
    assert (job.num_attempts, job.channel, job.priority, job.state) == (2, "_default", 0, JobState.QUEUED)


async def test_events_of_deploying_and_putting_in(context: Context, act: JobDefinition[str, str]) -> None:
    """I1, I3, I4: told to handlers until they are removed."""
    heard: list[Event] = []
    remove = context.add_event_handler(heard.append)
    await act.deploy()
    one = await act.enqueue("x", job_group="g")
    many = await act.enqueue_many(["x", "y"])
    remove()
    await act.enqueue("x")
    assert [(type(event), getattr(event, "name", None)) for event in heard] == [
        (DefinitionDeployed, "ACT"),
        *[(JobEnqueued, "ACT")] * 3,
    ]
    enqueued = [event for event in heard if isinstance(event, JobEnqueued)]
    assert [event.job_id for event in enqueued] == [one.id, *(handle.id for handle in many)]
    assert [event.job_group for event in enqueued] == ["g", None, None]


async def test_nothing_is_told_of_what_may_not_commit(context: Context, act: JobDefinition[str, str]) -> None:
    """I18: an enqueue in a transaction of the caller's is no fact yet, and may never be one."""
    heard: list[Event] = []
    await act.deploy()
    context.add_event_handler(heard.append)
    async with context.database.connection() as connection, connection.transaction(force_rollback=True):
        await act.enqueue("x", connection=connection)
    assert heard == []


async def test_waiting_for_a_job_that_is_purged_meanwhile(
    context: Context, act: JobDefinition[str, str]
) -> None:
    """G3: a waiter that missed the end of a job does not wait for ever."""
    await act.deploy()
    handle = await act.enqueue("x")
    waiting = asyncio.ensure_future(handle.result())
    await asyncio.sleep(0)
    async with context.database.connection() as connection:
        for table in ("ready", "job"):
            await connection.execute(f'delete from "{context.schema}".{table}')
    with pytest.raises(JobNotFound):
        await asyncio.wait_for(waiting, 10)


async def test_a_handler_that_raises_loses_no_job(context: Context, act: JobDefinition[str, str]) -> None:
    """I1: it is logged and changes nothing."""

    def fail(event: Event) -> None:
        raise ValueError("not today")

    context.add_event_handler(fail)
    async with Worker(context):
        assert await (await act.enqueue("hi")).result(timeout_secs=10) == "HI"


async def test_closing_twice_and_going_on(dsn: str, schema: str) -> None:
    """A5: constructing touches nothing; what was closed opens again when it is used."""
    context = Context(dsn, schema=schema)
    await context.close()
    await context.migrate()
    await context.close()
    await context.close()
    assert sum((await context.jobs.count()).values()) == 0
    await context.close()


def test_one_context_in_two_event_loops_one_after_the_other(dsn: str, schema: str) -> None:
    """A5: as scripts and test runners do."""
    context = Context(dsn, schema=schema)

    @context.job(name="UPPER")
    async def upper(payload: str) -> str:
        return payload.upper()

    async def live() -> list[str]:
        await context.migrate()
        await upper.deploy()
        handles = await upper.enqueue_many(["a", "b"])
        waiting = [asyncio.create_task(handle.result(timeout_secs=10)) for handle in handles]
        async with Worker(context):
            results = await asyncio.gather(*waiting)
        with pytest.raises(ResultTimeout):
            await (await upper.enqueue("c", delay_secs=60)).result(timeout_secs=0.05)
        await context.close()
        return results

    assert asyncio.run(live()) == ["A", "B"]
    assert asyncio.run(live()) == ["A", "B"]


async def test_two_event_loops_at_once_are_told_apart(dsn: str, schema: str) -> None:
    async with Context(dsn, schema=schema) as context:
        await context.migrate()
        await context.jobs.count()

        def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match="in use by another event loop"):
                asyncio.run(context.jobs.count())

        await asyncio.to_thread(elsewhere)
