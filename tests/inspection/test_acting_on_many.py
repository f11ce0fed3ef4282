"""context.jobs: cancel and retry, one and many, and the same from sync code."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from cuckmq import Context, Fail, JobDefinition, JobState, Worker
from cuckmq.errors import (
    ChannelNotFound,
    ConfigurationError,
    DefinitionNotFound,
    DuplicateJob,
    InvalidPayload,
    JobFailed,
    JobNotFound,
)
from tests.support.eventually import eventually
from tests.support.queue import Queue


class Mail(BaseModel):
    to: str
    copies: int = 1


@pytest.fixture
async def send(context: Context) -> JobDefinition[Mail, str]:
    """Fails until `mended` is set."""

    @context.job(name="SEND", channel="mail")
    async def send(mail: Mail) -> Fail | str:
        return Fail("no such address") if mail.to == "nobody" and not mended.is_set() else mail.to

    await send.deploy()
    mended.clear()
    return send


mended = asyncio.Event()


async def fail_some(
    context: Context, send: JobDefinition[Mail, str], number: int, **options: Any
) -> list[int]:
    handles = await send.enqueue_many([Mail(to="nobody")] * number, **options)
    async with Worker(context):
        for handle in handles:
            with pytest.raises(JobFailed):
                await handle.result(timeout_secs=10)
    return [handle.id for handle in handles]


async def test_cancel_all_that_have_a_payload(context: Context, send: JobDefinition[Mail, str]) -> None:
    """C11: wherever they stand; compared as JSON, whatever its order; others go on."""
    queued = await send.enqueue(Mail(to="a"))
    delayed = await send.enqueue(Mail(to="a"), delay_secs=60)
    grouped = await send.enqueue(Mail(to="a"), job_group="g", channel="other")
    other = await send.enqueue(Mail(to="b"))
    answers = await context.jobs.cancel_many(name="SEND", payload=Mail(to="a"))
    assert answers == {queued.id: "cancelled", delayed.id: "cancelled", grouped.id: "cancelled"}
    assert list(answers) == sorted(answers)
    assert (await other.get()).state == JobState.QUEUED
    assert await context.jobs.cancel_many(payload={"copies": 1, "to": "b"}) == {other.id: "cancelled"}


async def test_cancel_all_that_pass_a_filter(context: Context, send: JobDefinition[Mail, str]) -> None:
    """C11: by state, channel and group; those that run are asked to stop."""
    started = asyncio.Event()

    @context.job(name="HOLD", channel="slow")
    async def hold() -> None:
        started.set()
        await asyncio.Event().wait()

    await hold.deploy()
    running = await hold.enqueue()
    async with Worker(context, channels=["slow"]):
        await started.wait()
        assert await context.jobs.cancel_many(state=JobState.RUNNING) == {running.id: "requested"}
        await eventually(lambda: is_in(context, running.id, JobState.CANCELLED))
    one, two = await send.enqueue_many([Mail(to="a")] * 2, job_group="g")
    later = await send.enqueue(Mail(to="a"), delay_secs=60)
    assert await context.jobs.cancel_many(state=JobState.SCHEDULED, channel="mail") == {later.id: "cancelled"}
    assert list(await context.jobs.cancel_many(job_group="g")) == [one.id, two.id]
    assert await context.jobs.cancel_many(name="SEND") == {}


async def is_in(context: Context, job_id: int, state: JobState) -> bool:
    return (await context.jobs.get(job_id)).state == state


async def test_each_job_is_cancelled_in_a_transaction_of_its_own(
    context: Context, send: JobDefinition[Mail, str], dsn: str
) -> None:
    """C11: the first is done, and locks nothing, while the second waits for somebody."""
    first, second, third = await send.enqueue_many([Mail(to="a")] * 3)
    with Queue(dsn, context.schema) as queue:
        blocker = queue.session()
        blocker.begin()
        blocker.rows("select from {schema}.job where id = %s for update", second.id)
        cancelling = asyncio.create_task(context.jobs.cancel_many(name="SEND"))
        await eventually(lambda: is_in(context, first.id, JobState.CANCELLED))
        assert (await third.get()).state == JobState.QUEUED
        blocker.rollback()
        assert list(await cancelling) == [first.id, second.id, third.id]


async def test_more_than_a_page_is_cancelled_and_retried(
    context: Context, send: JobDefinition[Mail, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """C11: every job once."""
    monkeypatch.setattr("cuckmq.bulk.PAGE", 3)
    ids = [handle.id for handle in await send.enqueue_many([Mail(to="a")] * 8)]
    assert list(await context.jobs.cancel_many(name="SEND")) == ids
    assert list(await context.jobs.retry_many(state=JobState.CANCELLED)) == ids
    assert (await context.jobs.count())[JobState.QUEUED] == 8


async def test_what_cannot_be_meant_is_refused(context: Context, send: JobDefinition[Mail, str]) -> None:
    """C11: a forgotten filter does not empty the queue, and a typing error is no empty answer."""
    await send.enqueue(Mail(to="a"))
    with pytest.raises(ConfigurationError, match="say which jobs to cancel"):
        await context.jobs.cancel_many()
    with pytest.raises(ConfigurationError, match="that is failed has ended: there is nothing to cancel"):
        await context.jobs.cancel_many(state=JobState.FAILED)
    with pytest.raises(ConfigurationError, match="only failed and cancelled jobs can be retried"):
        await context.jobs.retry_many(state=JobState.SUCCEEDED)
    for act in (context.jobs.cancel_many, context.jobs.retry_many):
        with pytest.raises(DefinitionNotFound):
            await act(name="SEMD")
        with pytest.raises(ChannelNotFound):
            await act(channel="mial")
        with pytest.raises(InvalidPayload):
            await act(name="SEND", payload={"too": "a"})
    assert (await context.jobs.count())[JobState.QUEUED] == 1


async def test_a_failed_job_is_retried(context: Context, send: JobDefinition[Mail, str]) -> None:
    """F1: it runs again under its id, with its errors so far; what lives or succeeded is left alone."""
    (job_id,) = await fail_some(context, send, 1)
    mended.set()
    assert await context.jobs.retry(job_id) is True
    assert await context.jobs.retry(job_id) is False
    async with Worker(context):
        assert await send.handle(job_id).result(timeout_secs=10) == "nobody"
    job = await context.jobs.get(job_id)
    assert (job.state, job.attempt, len(job.errors)) == (JobState.SUCCEEDED, 2, 1)
    assert await context.jobs.retry(job_id) is False
    with pytest.raises(JobNotFound):
        await context.jobs.retry(job_id + 1)


async def test_many_are_retried(context: Context, send: JobDefinition[Mail, str]) -> None:
    """Those that failed, or were cancelled, and pass the filters; one whose key is taken is left and told."""
    one, two = await fail_some(context, send, 2)
    (keyed,) = await fail_some(context, send, 1, unique_key="a")
    holder = await send.enqueue(Mail(to="a"), unique_key="a")
    cancelled = await send.enqueue(Mail(to="a"))
    await cancelled.cancel()
    assert await context.jobs.retry_many(job_group="g") == {}
    assert await context.jobs.retry_many(name="SEND", payload=Mail(to="nobody")) == {
        one: "queued",
        two: "queued",
        keyed: "duplicate",
    }
    with pytest.raises(
        DuplicateJob, match=f"job {keyed} cannot be retried: job {holder.id} holds"
    ) as refused:
        await context.jobs.retry(keyed)
    assert refused.value.job_id == holder.id
    assert await context.jobs.retry_many(state=JobState.CANCELLED) == {cancelled.id: "queued"}


async def test_from_sync_code(context: Context, send: JobDefinition[Mail, str]) -> None:
    """C10, H3: what a sync web request asks for, with no event loop of its own."""
    (failed,) = await fail_some(context, send, 1)
    live = await send.enqueue(Mail(to="a"))

    def request() -> None:
        jobs = context.jobs
        assert jobs.get_sync(live.id) == live.get_sync()
        assert [job.id for job in jobs.list_sync(name="SEND")] == [live.id, failed]
        assert (jobs.count_sync()[JobState.QUEUED], jobs.count_sync()[JobState.FAILED]) == (1, 1)
        assert jobs.retry_sync(failed) is True
        assert jobs.retry_sync(failed) is False
        assert jobs.cancel_sync(failed) is True
        assert live.cancel_sync() is True
        assert live.cancel_sync() is False
        with pytest.raises(JobNotFound):
            jobs.get_sync(live.id + 1)
        with pytest.raises(JobNotFound):
            jobs.retry_sync(live.id + 1)
        with pytest.raises(JobNotFound):
            send.handle(live.id + 1).get_sync()

    await asyncio.to_thread(request)
    assert (await context.jobs.count())[JobState.CANCELLED] == 2
