"""A channel is purged or destroyed while workers serve it."""

from __future__ import annotations

import asyncio

import pytest

from cuckmq import Context, JobState, Worker
from cuckmq.channels import PURGE_BATCH_SIZE
from cuckmq.errors import ChannelInUse, ChannelNotFound, CuckmqError, JobCancelled
from cuckmq.events import ChannelDeleted
from tests.support.eventually import eventually


async def test_a_purge_goes_on_until_nothing_is_left(context: Context) -> None:
    """H7: in more than one batch; those who wait for a result learn that it will not come."""

    @context.job(name="SEND", channel="mail")
    async def send(number: int) -> None: ...

    await send.deploy()
    handles = await send.enqueue_many(range(PURGE_BATCH_SIZE + 1))
    assert await context.channels.purge("mail") == len(handles)
    counts = (await context.channels.get("mail")).counts
    assert (counts[JobState.QUEUED], counts[JobState.CANCELLED]) == (0, len(handles))
    with pytest.raises(JobCancelled):
        await handles[-1].result(timeout_secs=10)


async def test_a_channel_is_destroyed_under_its_workers(context: Context) -> None:
    """H7, I12: what runs is stopped, the workers that serve it are told, and serve it should it come back."""
    seen: list[ChannelDeleted] = []
    context.add_event_handler(lambda event: seen.append(event) if isinstance(event, ChannelDeleted) else None)
    started = asyncio.Event()

    @context.job(name="ACT")
    async def act(what: str) -> str:
        if what == "hold":
            started.set()
            await asyncio.Event().wait()
        return what

    await act.deploy()
    async with (
        Worker(context, name="mailer", channels=["mail"], concurrency=1) as mailer,
        Worker(context, name="texter", channels=["sms"]),
        Worker(context, name="all", channels=None) as everyone,
    ):
        running = await act.enqueue("hold", channel="mail")
        await started.wait()
        later = await act.enqueue("go", channel="mail", delay_secs=60)
        await context.channels.destroy("mail")
        for handle in (running, later):
            assert (await handle.get()).state is JobState.CANCELLED
        assert "mail" not in [channel.name for channel in await context.channels.list()]
        with pytest.raises(ChannelNotFound):
            await context.channels.get("mail")
        told = await eventually(lambda: len(seen) == 2 and {(each.name, each.channel) for each in seen})
        assert told == {("mailer", "mail"), ("all", "mail")}
        assert {each.worker_id for each in seen} == {mailer.worker_id, everyone.worker_id}

        await everyone.pause()
        assert await (await act.enqueue("again", channel="mail")).result(timeout_secs=20) == "again"
        assert [channel.name for channel in await context.channels.list()] == ["_default", "mail", "sms"]


async def test_a_job_that_heeds_no_cancellation_keeps_its_channel(context: Context) -> None:
    """H7: it is said in time, and the channel is there still."""
    started, go_on = asyncio.Event(), asyncio.Event()

    @context.job(name="DEAF")
    async def deaf() -> None:
        while not go_on.is_set():
            try:
                started.set()
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    await deaf.deploy()
    async with Worker(context):
        await deaf.enqueue(channel="mail")
        await started.wait()
        with pytest.raises(ChannelInUse, match="'mail' is not empty yet: 1 jobs run"):
            await context.channels.destroy("mail", timeout_secs=0)
        assert (await context.channels.get("mail")).counts[JobState.RUNNING] == 1
        go_on.set()
        await context.channels.destroy("mail")


async def test_a_wrong_channel_is_an_error_of_the_family(context: Context) -> None:
    """H7: a LookupError where there is none; a refusal that names who puts jobs there."""

    @context.job(name="SEND", channel="mail")
    async def send() -> None: ...

    await send.deploy()
    for verb in (context.channels.purge, context.channels.destroy):
        with pytest.raises(ChannelNotFound, match='no channel "mial"') as caught:
            await verb("mial")
        assert isinstance(caught.value, LookupError)
        assert isinstance(caught.value, CuckmqError)
    with pytest.raises(ChannelInUse, match="SEND: undeploy"):
        await context.channels.destroy("mail")
