"""Jobs that wait for others, as users put them in and workers run them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from cuckmq import Context, JobDefinition, JobState, Worker
from cuckmq.errors import ConfigurationError, JobCancelled, JobFailed, JobNotFound
from cuckmq.events import Event
from cuckmq.events import JobFailed as JobFailedEvent


@pytest.fixture
async def step(context: Context) -> JobDefinition[int, int]:
    @context.job(name="STEP")
    async def step(number: int) -> int:
        if number < 0:
            raise ValueError("below zero")
        return number

    await step.deploy()
    return step


async def test_a_graph_of_a_thousand(context: Context) -> None:
    """E31: fan-out, fan-in, chains and chance, by two workers of concurrency 1; none before what it needs."""
    ran: dict[int, int] = {}

    @context.job(name="NODE")
    async def node(number: int) -> None:
        ran[number] = len(ran)

    await node.deploy()
    dice = random.Random(11)
    handles = [await node.enqueue(0)]
    needs: dict[int, list[int]] = {0: []}
    for number in range(1, 1000):
        match number // 100:
            case 1:
                chosen = [0]
            case 2:
                chosen = [number - 1]
            case 3 if number == 300:
                chosen = list(range(100, 200))
            case _:
                chosen = dice.sample(range(number), min(number, dice.randrange(4)))
        needs[number] = chosen
        handles.append(await node.enqueue(number, after=[handles[each] for each in chosen]))
    async with Worker(context, concurrency=1), Worker(context, concurrency=1):
        for handle in handles:
            await handle.result(timeout_secs=60)
    assert len(ran) == 1000
    for number, chosen in needs.items():
        assert all(ran[each] < ran[number] for each in chosen)
    assert await context.jobs.find_problems() == []


async def test_a_failed_parent(context: Context, step: JobDefinition[int, int]) -> None:
    """E31, I8: each child as it was told; who listens is told of those that failed with it."""
    heard: list[Event] = []
    context.add_event_handler(heard.append)
    parent = await step.enqueue(-1)
    failed = await step.enqueue(1, after=parent)
    cancelled = await step.enqueue(2, after=parent.id, on_dependency_failure="cancel")
    run = await step.enqueue(3, after=[parent, failed], on_dependency_failure="run")
    assert (await failed.get()).state == JobState.BLOCKED
    assert (await context.jobs.count())[JobState.BLOCKED] == 3
    assert [job.id for job in await context.jobs.list(state=JobState.BLOCKED)] == [
        run.id, cancelled.id, failed.id,
    ]  # fmt: skip
    async with Worker(context):
        with pytest.raises(JobFailed, match="dependency_failed"):
            await failed.result(timeout_secs=10)
        with pytest.raises(JobCancelled):
            await cancelled.result(timeout_secs=10)
        assert await run.result(timeout_secs=10) == 3
    told = [(event.job_id, event.name, event.reason) for event in heard if isinstance(event, JobFailedEvent)]
    assert told == [(parent.id, "STEP", "error"), (failed.id, "STEP", "dependency_failed")]


async def test_many_at_once_and_in_both_worlds(context: Context, step: JobDefinition[int, int]) -> None:
    """E31, C3: every job of the call waits."""
    parent = await step.enqueue(0)
    handles = await step.enqueue_many([1, 2], after=parent)
    handles += step.enqueue_many_sync([3], after=handles)
    assert {(await handle.get()).state for handle in handles} == {JobState.BLOCKED}
    async with Worker(context):
        assert [await handle.result(timeout_secs=10) for handle in handles] == [1, 2, 3]


@pytest.mark.parametrize("after", ["1", 1.5, True, 0, [None], b"1"])
async def test_what_names_no_job(step: JobDefinition[int, int], after: Any) -> None:
    with pytest.raises(ConfigurationError, match="after takes handles of jobs, or their ids"):
        await step.enqueue(1, after=after)


async def test_what_is_not_known(context: Context, step: JobDefinition[int, int]) -> None:
    """E31: a LookupError, at once, and nothing was put in."""
    with pytest.raises(JobNotFound, match="there is no job 999 to wait for") as caught:
        await step.enqueue(1, after=999)
    assert caught.value.job_id == 999
    assert isinstance(caught.value, LookupError)
    with pytest.raises(ConfigurationError, match="on_dependency_failure"):
        await step.enqueue(1, after=1, on_dependency_failure="hope")  # type: ignore[arg-type]
    assert await context.jobs.list() == []


async def test_a_channel_with_blocked_jobs_is_purged(context: Context, step: JobDefinition[int, int]) -> None:
    """E31, H7: they are of the channel, too."""
    parent = await step.enqueue(0, delay_secs=60)
    child = await step.enqueue(1, after=parent, channel="other")
    assert (await context.channels.get("other")).counts[JobState.BLOCKED] == 1
    assert await context.channels.purge("other") == 1
    assert (await child.get()).state == JobState.CANCELLED
