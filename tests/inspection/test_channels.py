"""context.channels: which there are, and how many jobs of each state they hold."""

from __future__ import annotations

import asyncio

import pytest

from cuckmq import Context, CuckmqError, Fail, JobState, Worker
from cuckmq.errors import ChannelNotFound, JobFailed


async def test_channels_are_listed_with_their_jobs_by_state(context: Context) -> None:
    """H4: in every place that a job can stand, at any priority, and nobody else's."""
    started, go_on = asyncio.Event(), asyncio.Event()

    @context.job(name="ACT", channel="mail")
    async def act(what: str) -> Fail | None:
        if what == "hold":
            started.set()
            await go_on.wait()
        return Fail("no") if what == "fail" else None

    await act.deploy()
    assert await context.channels.list() == [await context.channels.get("mail")]
    async with Worker(context, channels=["mail"]):
        await (await act.enqueue("pass")).result(timeout_secs=10)
        with pytest.raises(JobFailed):
            await (await act.enqueue("fail")).result(timeout_secs=10)
        holding = await act.enqueue("hold", job_group="g", priority=3)
        await started.wait()
        await act.enqueue("pass", job_group="g", delay_secs=60)
        behind = await act.enqueue("pass", job_group="g")
        for _ in range(2):
            await act.enqueue("pass", channel="other")
        await (await act.enqueue("pass", channel="other", delay_secs=60)).cancel()
        mail, other = await context.channels.list()
        assert (mail.name, other.name) == ("mail", "other")
        assert {state: num for state, num in mail.counts.items() if num} == {
            JobState.SCHEDULED: 1, JobState.QUEUED: 1, JobState.RUNNING: 1,
            JobState.SUCCEEDED: 1, JobState.FAILED: 1,
        }  # fmt: skip
        assert set(other.counts) == set(JobState)
        assert {state: num for state, num in other.counts.items() if num} == {
            JobState.QUEUED: 2, JobState.CANCELLED: 1,
        }  # fmt: skip
        assert await context.channels.get("other") == other
        total = await context.jobs.count()
        assert total == {state: mail.counts[state] + other.counts[state] for state in JobState}
        go_on.set()
        await holding.result(timeout_secs=10)
        await behind.result(timeout_secs=10)


async def test_an_unknown_channel_is_a_lookup_error_of_the_family(context: Context) -> None:
    """H4: a typing error is no empty channel; one that only a worker named is there."""
    async with Worker(context, channels=["quiet"]):
        assert (await context.channels.get("quiet")).counts[JobState.QUEUED] == 0
    with pytest.raises(ChannelNotFound, match=r"no channel 'quite': .*channels\.list") as caught:
        await context.channels.get("quite")
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, CuckmqError)
