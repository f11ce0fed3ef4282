"""Puller: jobs for those who run their own loop."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from cuckmq import Cancel, Context, JobState, PulledJob, Puller
from cuckmq.errors import AttemptLost, ConfigurationError, InvalidResult, JobCancelled, JobFailed
from cuckmq.protocol.exchange import Row
from tests.support.eventually import eventually

FAST = {"heartbeat_secs": 0.2, "lease_secs": 1.0}


def define(context: Context, name: str = "double", **options):
    @context.job(name=name, **options)
    def double(payload: int) -> int:
        raise AssertionError("a puller calls no work function")

    return double


async def claim(puller: Puller, wait_secs: float = 10) -> PulledJob:
    job = await puller.claim(wait_secs)
    assert job is not None
    return job


async def test_a_loop_of_ones_own(context: Context):
    """E29: claim, finish; the payload is typed, the result is kept; it is a worker in the list."""
    double, other = define(context), define(context, "other")
    await context.deploy()
    handles = [await double.enqueue(number) for number in range(5)]
    async with Puller(context, name="mine") as puller:
        (worker,) = await context.workers.list()
        assert (worker.id, worker.name) == (puller.worker_id, "mine")
        while job := await puller.claim(wait_secs=0):
            assert job.of(other) is None
            typed = job.of(double)
            assert typed is not None
            await typed.finish(2 * typed.payload)
        assert [await each.result(timeout_secs=5) for each in handles] == [0, 2, 4, 6, 8]
        job = await handles[0].get()
        assert (job.state, job.worker_id, job.attempt) == (JobState.SUCCEEDED, worker.id, 1)
    assert await context.workers.list() == []


async def test_fail_snooze_and_release(context: Context):
    """E29: an error counts as a try and waits its backoff, a snooze and a release count as none."""
    double = define(context, num_attempts=2, backoff=0)
    await context.deploy()
    handle = await double.enqueue(1)
    async with Puller(context) as puller:
        await (await claim(puller)).release()
        assert (await handle.get()).state == JobState.QUEUED
        await (await claim(puller)).snooze(0)
        await (await claim(puller)).fail("a pity")
        job = await handle.get()
        assert (job.error_count, job.stall_count, job.num_attempts) == (1, 0, 2)
        assert [each.message for each in job.errors] == ["a pity"]
        last = await claim(puller)
        assert (last.attempt.number, last.attempt.is_last) == (4, True)
        await last.fail(ValueError("again"))
        with pytest.raises(JobFailed, match="ValueError: again"):
            await handle.result(timeout_secs=5)
        ended = await double.enqueue(2)
        await (await claim(puller)).fail(Cancel("enough"))
        with pytest.raises(JobCancelled):
            await ended.result(timeout_secs=5)


async def test_a_claim_waits_and_is_woken(context: Context):
    """E29: by a hint, long before the next look; several wait at once, and each gets one job."""
    double = define(context)
    await context.deploy()
    async with Context(context.database.dsn, schema=context.schema) as elsewhere:
        producer = define(elsewhere)
        async with Puller(context, poll_secs=60) as puller:
            await asyncio.wait_for(context.listener.is_connected.wait(), 10)
            assert await puller.claim(wait_secs=0.3) is None
            claims = [asyncio.create_task(claim(puller)) for _ in range(3)]
            await eventually(lambda: puller._desk.num_idle_lanes == 3)
            await producer.enqueue_many([1, 2, 3])
            jobs = await asyncio.gather(*claims)
            assert sorted(job.payload for job in jobs) == [1, 2, 3]
            await asyncio.gather(*(job.finish(0) for job in jobs))
    assert (await context.jobs.count())[JobState.SUCCEEDED] == 3
    assert double.name == "double"


async def claim_and_give_up(puller: Puller, num_turns: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Claim, and cancel that so many turns of the loop after the job has come."""
    hasty = asyncio.create_task(puller.claim(wait_secs=5))
    lay_down, has_come = puller._desk.lay_down, asyncio.Event()

    def come(rows: list[Row]) -> None:
        lay_down(rows)
        if rows:
            has_come.set()

    with monkeypatch.context() as patch:
        patch.setattr(puller._desk, "lay_down", come)
        await asyncio.wait([hasty, asyncio.create_task(has_come.wait())], return_when=asyncio.FIRST_COMPLETED)
        for _ in range(num_turns):
            await asyncio.sleep(0)
        hasty.cancel()
        (found,) = await asyncio.gather(hasty, return_exceptions=True)
    return found


@pytest.mark.timeout(60)  # a job that was lost would keep the puller from stopping
async def test_a_claim_may_be_given_up_in_any_turn_of_the_loop(
    context: Context, monkeypatch: pytest.MonkeyPatch
):
    """E29: whether its job has been laid down, taken or received, the next claim gets it, or a later one."""
    double = define(context)
    await context.deploy()
    async with Puller(context, concurrency=1) as puller:
        await double.enqueue_many([1, 2, 3])
        for num_turns in range(12):
            found = await claim_and_give_up(puller, num_turns, monkeypatch)
            assert found is not None, f"nothing came after a claim was given up in turn {num_turns - 1}"
            if isinstance(found, PulledJob):
                await found.release()
        last = await claim(puller)
        await last.finish(0)


async def test_it_takes_nothing_that_nobody_waits_for(context: Context):
    """E29: nothing ahead, whatever is there; a claim that was given up leaves nothing behind."""
    double = define(context)
    await context.deploy()
    async with Puller(context, concurrency=2) as puller:
        await double.enqueue_many(list(range(20)))
        first = await claim(puller)
        assert (await context.jobs.count())[JobState.RUNNING] == 1
        for _ in range(10):
            hasty = asyncio.create_task(puller.claim())
            await asyncio.sleep(0)
            await asyncio.sleep(0.003)
            hasty.cancel()
            (found,) = await asyncio.gather(hasty, return_exceptions=True)
            if isinstance(found, PulledJob):
                await found.release()

        async def is_given_back() -> bool:
            return (await context.jobs.count())[JobState.RUNNING] == 1

        await eventually(is_given_back)
        second = await claim(puller)
        waiting = asyncio.create_task(claim(puller))
        await eventually(lambda: puller._desk.num_idle_lanes == 1)
        assert (await context.jobs.count())[JobState.RUNNING] == 2
        await first.finish(0)
        third = await waiting
        await second.release()
        await third.release()


async def test_a_lost_job_can_be_finished_no_more(context: Context):
    """E29: whoever was taken for dead hears AttemptLost; the job is another's, and the puller goes on."""
    double = define(context)
    await context.deploy()
    handle = await double.enqueue(1)
    async with Puller(context, **FAST) as puller:
        lost = await claim(puller)
        old_id = puller.worker_id
        await context.workers.evict(old_id)
        again = await claim(puller)
        assert (again.id, again.attempt.stall_count) == (lost.id, 1)
        assert puller.worker_id not in (old_id, 0)
        assert lost.is_cancelled
        with pytest.raises(AttemptLost, match="drop what you did"):
            await lost.finish(1)
        await again.finish(2)
        assert await handle.result(timeout_secs=5) == 2


async def test_a_loss_that_nobody_has_heard_of_yet(context: Context):
    """E29: the fence tells it: finish is refused although no beat has."""
    double = define(context)
    await context.deploy()
    handle = await double.enqueue(1)
    async with Puller(context, heartbeat_secs=60, lease_secs=120) as puller:
        lost = await claim(puller)
        await context.workers.evict(puller.worker_id)
        with pytest.raises(AttemptLost):
            await lost.finish(1)
        again = await claim(puller)
        await again.finish(2)
    assert await handle.result(timeout_secs=5) == 2


async def test_it_beats_while_a_job_is_in_hand(context: Context):
    """E29: a job may take longer than the lease, though the event loop stands still."""
    double = define(context)
    await context.deploy()
    handle = await double.enqueue(1)
    async with Puller(context, **FAST) as puller:
        job = await claim(puller)
        time.sleep(1.5)  # noqa: ASYNC251 - blocking the loop is what it is for
        assert await context.workers.reap() == []
        await job.finish(2)
    assert (await handle.get()).stall_count == 0


async def test_stop_gives_back_what_is_in_hand(context: Context):
    """E29: at once, with no try counted; who waits for a job gets None, who finishes late is told."""
    double = define(context, job_group="g")
    await context.deploy()
    handle = await double.enqueue(1)
    puller = Puller(context)
    with pytest.raises(RuntimeError, match="not started"):
        await puller.claim()
    async with puller:
        held = await claim(puller)
        waiting = asyncio.create_task(puller.claim())
        await eventually(lambda: puller._desk.num_idle_lanes == 1)
    assert await waiting is None
    job = await handle.get()
    assert (job.state, job.error_count, job.stall_count) == (JobState.QUEUED, 0, 0)
    with pytest.raises(AttemptLost):
        await held.finish(1)
    with pytest.raises(RuntimeError, match="you said"):
        await held.finish(1)
    async with puller:
        await (await claim(puller)).finish(1)
    assert await handle.result(timeout_secs=5) == 1


async def test_groups_run_one_at_a_time(context: Context):
    """E29: the next of a group comes when the one before was settled."""
    double = define(context, job_group="g")
    await context.deploy()
    await double.enqueue_many([1, 2])
    async with Puller(context) as puller:
        first = await claim(puller)
        assert await puller.claim(wait_secs=0.2) is None
        await first.finish(0)
        second = await claim(puller)
        assert second.payload == 2
        await second.finish(0)


async def test_what_does_not_fit(context: Context):
    """E29: a result is refused and the job kept; a payload fails its job, and the next one comes."""
    double = define(context)
    await context.deploy()
    async with Context(context.database.dsn, schema=context.schema) as elsewhere:

        @elsewhere.job(name="double")
        def texts(payload: str) -> None: ...

        bad = await texts.enqueue("no number")
    good = await double.enqueue(1)
    async with Puller(context) as puller:
        job = await claim(puller)
        assert job.id == good.id
        with pytest.raises(InvalidResult):
            await job.finish("no number")
        await job.finish(2)
        with pytest.raises(JobFailed) as caught:
            await bad.result(timeout_secs=5)
    assert caught.value.reason == "invalid_payload"
    with pytest.raises(ConfigurationError, match="list of names"):
        Puller(context, channels="mail")


async def test_a_cancelled_job_is_told(context: Context):
    """E29: is_cancelled says so; failed or released, it ends as cancelled."""
    double = define(context)
    await context.deploy()
    async with Puller(context) as puller:
        for end in (lambda job: job.release(), lambda job: job.snooze(1), lambda job: job.fail("x")):
            handle = await double.enqueue(1)
            job = await claim(puller)
            await handle.cancel()
            await eventually(lambda: job.is_cancelled)  # noqa: B023
            await end(job)
            assert (await handle.get()).state == JobState.CANCELLED


async def test_effects_are_committed_with_the_end(context: Context):
    """E29: what the attempt's transaction wrote is kept by finish, and undone by all else."""
    double = define(context, num_attempts=2, backoff=0)
    await context.deploy()
    table = f"{context.schema}.pulled"
    async with context.database.connection() as connection:
        await connection.execute(f"create table {table} (number integer)")

    async def write(job: PulledJob) -> None:
        async with job.attempt.transaction() as connection:
            await connection.execute(f"insert into {table} values ({job.attempt.number})")

    handle = await double.enqueue(1)
    async with Puller(context) as puller:
        for end in (lambda job: job.release(), lambda job: job.fail("x"), lambda job: job.finish(2)):
            job = await claim(puller)
            await write(job)
            await end(job)
        assert await handle.result(timeout_secs=5) == 2
        await double.enqueue(2)
        await write(await claim(puller))
    async with context.database.connection() as connection:
        rows = await (await connection.execute(f"select number from {table}")).fetchall()
    assert rows == [(3,)]
