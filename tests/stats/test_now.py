"""context.stats.now(): what stands where."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from cuckmq import Context, Orchestrator, Worker
from cuckmq.events import JobsRunning
from tests.support.eventually import eventually
from tests.support.queue import Queue


async def test_workers_are_counted(context: Context, dsn: str) -> None:
    """J1: all, idle, and lost since a moment."""
    with Queue(dsn, context.schema) as queue:
        queue.eye.deploy("PING")
        queue.eye.enqueue("PING")
        busy, _idle, dead, evicted = (queue.eye.register() for _ in range(4))
        queue.eye.claim(busy)
        assert (await context.stats.now()).workers == (4, 3, 0)
        queue.silence(dead)
        queue.eye.rescue()
        queue.eye.evict(evicted)
        assert (await context.stats.now()).workers == (2, 1, 2)
        queue.eye.rows("update {schema}.worker_loss set lost_at = lost_at - interval '2 hours'")
        assert (await context.stats.now()).workers == (2, 1, 0)
        since = datetime.now(UTC) - timedelta(hours=3)
        assert (await context.stats.now(since=since)).workers.num_lost == 2


async def test_the_heart_tells_how_long_a_beat_took(context: Context) -> None:
    """J3: with the next one."""
    async with Worker(context, heartbeat_secs=0.05):

        async def latency_secs() -> float | None:
            (worker,) = await context.workers.list()
            return worker.latency_secs

        assert 0 < (await eventually(latency_secs) or 0) < 10


async def test_channels_tell_what_stands_in_them(context: Context, dsn: str) -> None:
    """J4, J5: in line, running, scheduled; how long the first has waited, and how late what is due is."""
    with Queue(dsn, context.schema) as queue:
        queue.eye.deploy("PING")
        running = queue.eye.enqueue("PING", channel="mail", job_group="a")
        queue.eye.claim(queue.eye.register())
        for group in (None, None, "a"):
            queue.eye.enqueue("PING", channel="mail", job_group=group)
        queue.eye.enqueue("PING", channel="mail", delay_secs=60)
        queue.eye.enqueue("PING", channel="empty", delay_secs=60)
        queue.eye.rows("update {schema}.ready set run_at = run_at - interval '100 seconds'")
        queue.eye.rows(
            "update {schema}.job j set run_at = r.run_at from {schema}.ready r where r.job_id = j.id"
        )
        gauges = {gauge.name: gauge for gauge in (await context.stats.now()).channels}
        mail = gauges["mail"]
        assert (mail.num_queued, mail.num_running, mail.num_scheduled) == (3, 1, 1)
        assert mail.latency_secs is not None
        assert 100 <= mail.latency_secs < 130
        assert mail.lateness_secs == 0
        assert mail.next_at is not None
        assert 30 < (mail.next_at - datetime.now(UTC)).total_seconds() < 61
        assert (gauges["_default"].latency_secs, gauges["_default"].lateness_secs) == (None, None)
        queue.make_due(secs=50)
        late = {gauge.name: gauge for gauge in (await context.stats.now()).channels}["empty"]
        assert late.lateness_secs is not None
        assert 49 <= late.lateness_secs < 80
        assert [job.job_id for job in (await context.stats.now()).running] == [running]


async def test_schedules_tell_the_next_and_how_late_it_is(context: Context, dsn: str) -> None:
    """J5: of all that repeats."""
    assert (await context.stats.now()).schedules == (None, None)

    @context.job(name="SWEEP", repeat_secs=60)
    async def sweep() -> None: ...

    await sweep.deploy()
    with Queue(dsn, context.schema) as queue:
        queue.eye.rows("update {schema}.schedule set next_at = clock_timestamp() - interval '40 seconds'")
        schedules = (await context.stats.now()).schedules
        assert schedules.next_at is not None
        assert schedules.lateness_secs is not None
        assert 40 <= schedules.lateness_secs < 70


async def test_what_runs_is_told_now_and_then(context: Context) -> None:
    """J6: by an orchestrator that was asked to, with the age of each."""
    seen: list[JobsRunning] = []
    context.add_event_handler(lambda event: seen.append(event) if isinstance(event, JobsRunning) else None)
    started, go_on = asyncio.Event(), asyncio.Event()

    @context.job(name="HOLD")
    async def hold() -> None:
        started.set()
        await go_on.wait()

    await hold.deploy()
    async with Worker(context) as worker, Orchestrator(context, running_report_secs=0.05):
        handle = await hold.enqueue()
        await started.wait()
        (job,) = (await context.stats.now()).running
        assert (job.job_id, job.name, job.worker_id, job.attempt) == (handle.id, "HOLD", worker.worker_id, 1)
        assert job.age_secs > 0
        await eventually(lambda: len(seen) >= 2)
        go_on.set()
        await handle.result(timeout_secs=10)
    assert all(set(event.ages_secs) == {handle.id} for event in seen)
    ages = [event.ages_secs[handle.id] for event in seen]
    assert ages == sorted(ages)
