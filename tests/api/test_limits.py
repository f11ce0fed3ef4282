"""Limits as users set them: channels, definitions and groups, and what producers and handlers notice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from cuckmq import Context, JobDefinition, JobState, Limits, Orchestrator, Worker
from cuckmq.errors import ChannelFull, ChannelNotFound, ConfigurationError, DefinitionNotFound
from cuckmq.events import ChannelLimited, ChannelPaused, ChannelResumed, DefinitionLimited, Event
from tests.support.eventually import eventually


@pytest.fixture
async def send(context: Context) -> JobDefinition[int, int]:
    @context.job(name="SEND", channel="mail")
    async def send(number: int) -> int:
        return number

    await send.deploy()
    return send


async def test_a_paused_channel(context: Context, send: JobDefinition[int, int]) -> None:
    """E22: enqueues go on, workers pass it over and are woken afterwards; those who ask are told."""
    heard: list[Event] = []
    context.add_event_handler(heard.append)
    assert await context.channels.pause("mail") is True
    assert await context.channels.pause("mail") is False
    async with Worker(context, poll_secs=60) as worker:
        handle = await send.enqueue(7)
        await worker.wait_until_idle()
        assert (await handle.get()).state == JobState.QUEUED
        assert (await context.channels.get("mail")).is_paused is True
        assert await context.channels.resume("mail") is True
        assert await handle.result(timeout_secs=10) == 7
    assert await context.channels.resume("mail") is False
    assert [type(event) for event in heard if isinstance(event, ChannelPaused | ChannelResumed)] == [
        ChannelPaused, ChannelResumed,
    ]  # fmt: skip


async def test_limits_are_read_changed_and_told(context: Context, send: JobDefinition[int, int]) -> None:
    """E19, E20, I16: of channels and of definitions, at any time."""
    heard: list[Event] = []
    context.add_event_handler(heard.append)
    assert (await context.channels.get("mail")).limits == Limits()
    assert await send.limits() == Limits()
    await context.channels.limit("mail", rate=5, rate_secs=timedelta(minutes=1), max_size=9)
    info = await context.channels.get("mail")
    assert (info.limits, info.max_size) == (Limits(rate=5, rate_secs=60.0), 9)
    await context.channels.limit("mail", concurrency=2)
    info = await context.channels.get("mail")
    assert (info.limits, info.max_size) == (Limits(concurrency=2), None)
    await send.limit(rate=3)
    assert await send.limits() == Limits(rate=3)
    await send.deploy()
    assert await send.limits() == Limits(rate=3)
    await send.limit()
    assert await send.limits() == Limits()
    await context.groups.limit("a", concurrency=3)
    assert await context.groups.limits() == {"a": 3}
    await context.groups.limit("a", concurrency=1)
    assert await context.groups.limits() == {}
    changes = [event for event in heard if isinstance(event, ChannelLimited | DefinitionLimited)]
    assert [(event.name, event.limits) for event in changes] == [
        ("mail", Limits(rate=5, rate_secs=60.0)),
        ("mail", Limits(concurrency=2)),
        ("SEND", Limits(rate=3)),
        ("SEND", Limits()),
    ]


async def test_a_definition_with_limits(context: Context) -> None:
    """E20, E21: deployed with it, and deployed without it again."""
    running = most = 0

    @context.job(name="CALL", limits=Limits(concurrency=2))
    async def call(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1

    await call.deploy()
    async with Worker(context, concurrency=20), Worker(context, concurrency=20):
        for handle in await call.enqueue_many(range(40)):
            await handle.result(timeout_secs=30)
    assert most == 2

    async with Context(context.database.dsn, schema=context.schema) as other:
        other.job(name="CALL", limits=Limits())(call.work_function)
        await other.deploy()
    assert await call.limits() == Limits()


async def test_workers_sleep_until_the_rate_lets_one_through(context: Context) -> None:
    """E19: they poll once a minute here, and yet nobody waits that long."""

    @context.job(name="CALL", limits=Limits(rate=1, rate_secs=0.2))
    async def call(number: int) -> int:
        return number

    await call.deploy()
    async with Worker(context, poll_secs=60):
        for handle in await call.enqueue_many(range(4)):
            await handle.result(timeout_secs=20)


async def test_a_full_channel_refuses(context: Context, send: JobDefinition[int, int]) -> None:
    """C14: all or none, at once, and without harm to the caller's transaction."""
    await context.channels.limit("mail", max_size=3)
    await send.enqueue_many([1, 2])
    with pytest.raises(ChannelFull, match="the channel 'mail' is full: nothing was put in"):
        await send.enqueue_many([3, 4])
    async with context.database.connection() as connection, connection.transaction():
        await send.enqueue(3, connection=connection)
        with pytest.raises(ChannelFull):
            await send.enqueue(4, connection=connection)
        await connection.execute("select 1")
        with pytest.raises(ConfigurationError, match="wait_secs cannot be kept in a transaction"):
            await send.enqueue(4, connection=connection, wait_secs=1)
    with pytest.raises(ChannelFull):
        await asyncio.to_thread(send.enqueue_sync, 5)
    assert (await context.jobs.count())[JobState.QUEUED] == 3


async def test_a_producer_waits_for_room(context: Context, send: JobDefinition[int, int]) -> None:
    """C14: as long as it says, in both worlds."""
    await context.channels.limit("mail", max_size=1)
    await send.enqueue(1)
    with pytest.raises(ChannelFull, match=r"is full after 0\.05 s"):
        await send.enqueue(2, wait_secs=0.05)
    waiting = asyncio.create_task(send.enqueue(2, wait_secs=30))
    in_thread = asyncio.create_task(asyncio.to_thread(send.enqueue_sync, 3, wait_secs=30))
    await asyncio.sleep(0)
    async with Worker(context):
        assert await (await waiting).result(timeout_secs=10) == 2
        assert await (await in_thread).result(timeout_secs=10) == 3


async def test_a_schedule_and_a_retry_are_let_in(context: Context) -> None:
    """C14, D1: nobody is there to wait."""

    @context.job(name="TICK", channel="mail", repeat_secs=3600)
    async def tick() -> None: ...

    await tick.deploy()
    await context.channels.limit("mail", max_size=1)
    await tick.enqueue()

    async def is_ticked() -> bool:
        return (await context.jobs.count())[JobState.QUEUED] == 2

    async with Orchestrator(context):
        await eventually(is_ticked)


async def test_what_cannot_be_limited(context: Context, send: JobDefinition[int, int]) -> None:
    for call in (context.channels.pause, context.channels.resume, context.channels.limit):
        with pytest.raises(ChannelNotFound, match="there is no channel"):
            await call("typo")
    with pytest.raises(ConfigurationError, match="max_size"):
        await context.channels.limit("mail", max_size=0)
    with pytest.raises(ConfigurationError, match="concurrency"):
        await context.groups.limit("a", concurrency=0)

    @context.job(name="NEVER")
    async def never() -> None: ...

    with pytest.raises(DefinitionNotFound):
        await never.limits()
    with pytest.raises(DefinitionNotFound):
        await never.limit(rate=1)


@pytest.mark.parametrize(
    "limits",
    [
        {"concurrency": 0},
        {"rate": 0},
        {"rate": 1, "rate_secs": 0},
        {"rate": 1, "rate_secs": 1e9},
        {"rate": "1"},
    ],
)
def test_limits_are_checked_when_they_are_made(limits: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Limits(**limits)
