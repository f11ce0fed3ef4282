"""Jobs that nobody starts in time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cuckmq import Context, JobState, Orchestrator, Worker
from cuckmq._runtime.sweeper import Sweeper
from cuckmq.errors import ConfigurationError, JobFailed
from cuckmq.events import AttemptEvent, AttemptFailed, AttemptStarted, Event
from cuckmq.events import JobFailed as JobFailedEvent
from tests.support.eventually import eventually
from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome

PASS = "update {schema}.job set expires_at = now() - interval '1 second' where expires_at is not null"


def test_what_is_over_its_time_fails_wherever_it_stands(queue: Queue) -> None:
    """E18: scheduled, ready or in a group's line, with no worker about; others stay."""
    queue.eye.deploy("PING", p_expires_secs=60.0)
    queue.eye.deploy("PLAIN")
    late = [
        queue.eye.enqueue("PING"),
        queue.eye.enqueue("PING", delay_secs=60.0),
        queue.eye.enqueue("PING", job_group="g"),
    ]
    plain = queue.eye.enqueue("PLAIN")
    assert queue.eye.rows("select * from {schema}.expire()") == []
    queue.eye.rows(PASS)
    assert sorted(queue.eye.rows("select * from {schema}.expire()")) == [(each, "PING") for each in late]
    assert {queue.job(each, "state || ' ' || reason") for each in late} == {"failed expired"}
    assert queue.state(plain) == "queued"


def test_a_delay_does_not_count(queue: Queue) -> None:
    """E18: the time runs from the moment on from which the job may run."""
    queue.eye.deploy("PING", p_expires_secs=60.0)
    queue.eye.enqueue("PING", delay_secs=3600.0)
    assert queue.eye.value("select expires_at - run_at from {schema}.job") == timedelta(seconds=60)


def test_a_claim_that_comes_too_late_says_so(queue: Queue) -> None:
    """E18: by the database's clock, before any sweep; what comes in time has its payload."""
    queue.eye.deploy("PING", p_expires_secs=60.0)
    job_id = queue.eye.enqueue("PING", "1")
    queue.eye.rows(PASS)
    queue.eye.enqueue("PING", "2")
    worker_id = queue.eye.register()
    claimed = queue.eye.claim(worker_id)
    assert [each.payload for each in claimed] == [None, "2"]
    queue.eye.settle(worker_id, [Outcome(job_id, 1, "failed", "expired")])
    assert queue.job(job_id, "reason") == "expired"


@pytest.mark.parametrize("outcome", ["error", "snoozed", "stalled"])
def test_what_was_started_expires_no_more(queue: Queue, outcome: str) -> None:
    """E18: not while it runs, nor when it comes back."""
    queue.eye.deploy("PING", p_expires_secs=60.0, p_num_attempts=2)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    queue.eye.rows(PASS)
    assert queue.eye.rows("select * from {schema}.expire()") == []
    if outcome == "stalled":
        queue.silence(worker_id)
        assert queue.eye.rescue() == {job_id: "queued"}
    else:
        detail = ERROR if outcome == "error" else None
        queue.eye.settle(worker_id, [Outcome(job_id, job.attempt, outcome, None, detail)])
    assert queue.eye.rows("select * from {schema}.expire()") == []
    assert [each.payload for each in queue.eye.claim(queue.eye.register())] == ["null"]


def test_a_sweep_waits_for_a_claim_and_leaves_it_the_job(queue: Queue) -> None:
    """E18, M2: the claim has the entry in hand when the time runs out; it keeps it."""
    queue.eye.deploy("PING", p_expires_secs=60.0)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    one, two = queue.session(), queue.session()
    one.begin()
    (job,) = one.claim(worker_id)
    queue.eye.rows(PASS)
    sweep = two.start(two.rows, "select * from {schema}.expire()")
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert sweep.result(timeout=10) == []
    assert queue.eye.succeed(worker_id, [job]) == {}
    assert queue.state(job_id) == "succeeded"


def test_two_sweeps_fail_a_job_once(queue: Queue) -> None:
    """E18, M2: the second passes over it, and does not wait."""
    queue.eye.deploy("PING", p_expires_secs=60.0)
    job_id = queue.eye.enqueue("PING")
    queue.eye.rows(PASS)
    one, two = queue.session(), queue.session()
    two.rows("set lock_timeout = '1s'")
    one.begin()
    assert one.rows("select job_id from {schema}.expire()") == [(job_id,)]
    assert two.rows("select job_id from {schema}.expire()") == []
    one.commit()


@pytest.mark.parametrize("daemon", [Worker, Orchestrator])
async def test_it_is_told_though_no_worker_is_free(
    context: Context, daemon: type[Worker | Orchestrator]
) -> None:
    """E18: a waiter hears, and so do event handlers; the work function is never called."""
    seen: list[Event] = []
    context.add_event_handler(seen.append)
    done = asyncio.Event()

    @context.job(name="LONG")
    async def long() -> None:
        await done.wait()

    @context.job(name="LATE")
    async def late() -> None: ...

    await context.deploy()
    await long.enqueue()
    async with daemon(context, **({"concurrency": 1} if daemon is Worker else {})):
        if daemon is Worker:
            await eventually(lambda: any(isinstance(each, AttemptEvent) for each in seen))
        handle = await late.enqueue(expires_secs=0.05)
        with pytest.raises(JobFailed) as caught:
            await handle.result(timeout_secs=20)
        assert caught.value.reason == "expired"
        await eventually(
            lambda: [each.reason for each in seen if isinstance(each, JobFailedEvent)] == ["expired"]
        )
        done.set()
    assert not [each for each in seen if isinstance(each, AttemptEvent) and each.job_id == handle.id]


async def test_a_worker_does_not_run_what_is_over_its_time(
    context: Context, queue_of: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E18: though no sweep came first; nor does its group stay held."""

    async def no_turn(sweeper: Sweeper) -> float:
        return 60.0

    monkeypatch.setattr(Sweeper, "turn", no_turn)
    seen: list[Event] = []
    context.add_event_handler(seen.append)

    @context.job(name="LATE", expires_secs=timedelta(minutes=1), job_group="one")
    async def late(number: int) -> int:
        return number

    await late.deploy()
    first = await late.enqueue(1)
    queue_of.eye.rows(PASS)
    second = await late.enqueue(2)
    async with Worker(context):
        assert await second.result(timeout_secs=20) == 2
        with pytest.raises(JobFailed, match=r"\(expired\)"):
            await first.result(timeout_secs=20)
    job = await first.get()
    assert (job.state, job.reason) == (JobState.FAILED, "expired")
    assert [each.reason for each in seen if isinstance(each, JobFailedEvent)] == ["expired"]
    assert not [
        each for each in seen if isinstance(each, AttemptStarted | AttemptFailed) and each.job_id == first.id
    ]


async def test_times_that_cannot_be(context: Context) -> None:
    """E18: refused at enqueue, with what to do."""

    @context.job(name="LATE")
    async def late() -> None: ...

    await late.deploy()
    soon = datetime.now(UTC) + timedelta(seconds=5)
    with pytest.raises(ConfigurationError, match="not both"):
        await late.enqueue(expires_secs=1, expires_at=soon)
    with pytest.raises(ConfigurationError, match="expires_secs"):
        await late.enqueue(expires_secs=0)
    with pytest.raises(ConfigurationError, match="time zone"):
        await late.enqueue(expires_at=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(ConfigurationError, match="after the moment"):
        await late.enqueue(delay_secs=60, expires_at=soon)
    with pytest.raises(ConfigurationError, match="after the moment"):
        await late.enqueue(expires_at=soon - timedelta(hours=1))
