"""A worker runs jobs: what work functions get, how they end, what is kept of it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from dataclasses import dataclass
from datetime import UTC

import psycopg
import pytest
from pydantic import BaseModel

from cuckmq import Attempt, Cancel, Context, Fail, JobDefinition, JobState, Snooze, Worker
from cuckmq.errors import JobCancelled, JobFailed
from cuckmq.outcome import Verdict
from tests.support.eventually import eventually


class Ping(BaseModel):
    message: str


@dataclass
class Pair:
    left: int
    right: int


async def test_runs_async_and_sync_functions_of_every_form(context: Context):
    """B3, B5, B6, G1: async and sync, with and without payload and attempt; results come back typed."""

    @context.job(name="async-2")
    async def async_two(payload: Ping, attempt: Attempt) -> str:
        return f"{payload.message} {attempt.number} {attempt.name}"

    @context.job(name="async-1")
    async def async_one(payload: Pair) -> int:
        return payload.left + payload.right

    @context.job(name="async-0")
    async def async_none() -> None:
        await asyncio.sleep(0)

    @context.job(name="sync-2")
    def sync_two(payload: list[int], attempt: Attempt) -> dict[str, int]:
        return {"sum": sum(payload), "attempt": attempt.number}

    @context.job(name="sync-1")
    def sync_one(payload: str) -> str:
        return threading.current_thread().name

    @context.job(name="sync-0")
    def sync_none() -> float:
        return 1.5

    await context.deploy()
    async with Worker(context, name="w"):
        assert await (await async_two.enqueue(Ping(message="hi"))).result(timeout_secs=10) == "hi 1 async-2"
        assert await (await async_one.enqueue(Pair(2, 3))).result(timeout_secs=10) == 5
        assert await (await async_none.enqueue()).result(timeout_secs=10) is None
        assert await (await sync_two.enqueue([1, 2])).result(timeout_secs=10) == {"sum": 3, "attempt": 1}
        assert (await (await sync_one.enqueue("")).result(timeout_secs=10)).startswith("cuckmq-w-")
        assert await (await sync_none.enqueue()).result(timeout_secs=10) == 1.5


async def test_retries_with_backoff_then_fails_at_once(context: Context):
    """F1, F2, F5, F8, G2: num_attempts errors end the job; each is kept; the wait follows the backoff."""
    starts: list[float] = []

    @context.job(name="flaky", num_attempts=3, backoff=lambda num_errors: 0.1 * num_errors)
    async def flaky(payload: int, attempt: Attempt) -> None:
        starts.append(time.monotonic())
        assert attempt.error_count == len(starts) - 1
        assert attempt.is_last == (len(starts) == 3)
        raise ValueError(f"no {len(starts)}")

    await context.deploy()
    async with Worker(context):
        handle = await flaky.enqueue(1)
        with pytest.raises(JobFailed, match="ValueError: no 3") as caught:
            await handle.result(timeout_secs=10)
    assert caught.value.reason == "error"
    job = await handle.get()
    assert (job.state, job.reason, job.error_count, job.stall_count) == (JobState.FAILED, "error", 3, 0)
    assert [each.message for each in job.errors] == ["no 1", "no 2", "no 3"]
    assert [each.attempt for each in job.errors] == [1, 2, 3]
    assert all("in flaky" in each.traceback for each in job.errors)
    assert starts[1] - starts[0] >= 0.1
    assert starts[2] - starts[1] >= 0.2


async def test_one_attempt_is_the_default_and_success_after_an_error_succeeds(context: Context):
    """F1, I6: without num_attempts one error ends it; with two, the second try can succeed."""

    @context.job(name="once")
    async def once(payload: int) -> None:
        raise RuntimeError

    @context.job(name="twice", num_attempts=2, backoff=0)
    def twice(payload: int, attempt: Attempt) -> int:
        if attempt.number == 1:
            raise RuntimeError
        return attempt.number

    await context.deploy()
    async with Worker(context):
        failing, succeeding = await once.enqueue(1), await twice.enqueue(1)
        with pytest.raises(JobFailed):
            await failing.result(timeout_secs=10)
        assert await succeeding.result(timeout_secs=10) == 2
    assert (await failing.get()).attempt == 1
    assert len((await succeeding.get()).errors) == 1


@pytest.mark.parametrize("how", ["returned", "raised"])
async def test_verdicts_returned_or_raised(context: Context, how: str):
    """F7: a work function can fail, cancel or put off its job without an error."""

    def say(verdict: Verdict) -> Verdict:
        if how == "raised":
            raise verdict
        return verdict

    @context.job(name="fail", num_attempts=5)
    async def fail(payload: int) -> Fail | None:
        return say(Fail("card declined"))  # type: ignore[return-value]

    @context.job(name="cancel", num_attempts=5)
    def cancel(payload: int) -> Cancel | None:
        return say(Cancel("not wanted"))  # type: ignore[return-value]

    @context.job(name="snooze")
    async def snooze(payload: int, attempt: Attempt) -> str | Snooze:
        snoozes.append(attempt.number)
        if len(snoozes) < 4:
            return say(Snooze(0.01))  # type: ignore[return-value]
        return "awake"

    snoozes: list[int] = []
    await context.deploy()
    async with Worker(context):
        failed, cancelled, snoozed = await fail.enqueue(1), await cancel.enqueue(1), await snooze.enqueue(1)
        with pytest.raises(JobFailed, match="card declined") as caught:
            await failed.result(timeout_secs=10)
        with pytest.raises(JobCancelled):
            await cancelled.result(timeout_secs=10)
        assert await snoozed.result(timeout_secs=10) == "awake"
    assert caught.value.reason == "declared"
    assert (await failed.get()).error_count == 0
    assert (await cancelled.get()).errors[0].message == "not wanted"
    assert snoozes == [1, 2, 3, 4]
    assert (await snoozed.get()).error_count == 0


@pytest.mark.parametrize("limit_secs", [None, 60])
@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), BaseException("b")],
)
@pytest.mark.fault("G1")
async def test_whatever_is_raised_fails_that_job_only(
    context: Context, error: BaseException, kind: str, limit_secs: float | None
):
    """F10: no exception of a work function reaches the worker."""

    @context.job(name="sound")
    async def sound(payload: int) -> int:
        return payload

    if kind == "async":

        @context.job(name="bad", execution_timeout_secs=limit_secs)
        async def bad_async(payload: int) -> None:
            await asyncio.sleep(0)
            raise error
    else:

        @context.job(name="bad", execution_timeout_secs=limit_secs)
        def bad_sync(payload: int) -> None:
            raise error

    bad = context.definitions["bad"]
    await context.deploy()
    async with Worker(context, concurrency=2) as worker:
        first_id = worker.worker_id
        failing = await bad.enqueue(1)
        with pytest.raises(JobFailed, match=type(error).__name__):
            await failing.result(timeout_secs=10)
        assert await (await sound.enqueue(7)).result(timeout_secs=10) == 7
        assert worker.worker_id == first_id


async def test_a_result_that_is_no_json_fails_the_job_with_its_reason(context: Context):
    """F10: work was done, so it is not tried again; the reason says what was wrong."""
    runs = []

    @context.job(name="bad-result", num_attempts=5)
    async def bad_result(payload: int) -> int:
        runs.append(payload)
        return object()  # type: ignore[return-value]

    await context.deploy()
    async with Worker(context):
        handle = await bad_result.enqueue(1)
        with pytest.raises(JobFailed) as caught:
            await handle.result(timeout_secs=10)
    assert caught.value.reason == "invalid_result"
    assert runs == [1]


@pytest.mark.fault("F1")
async def test_an_undecodable_row_fails_alone(context: Context):
    """B2, M2: bad payloads among 99 good ones, put in by hand: they alone fail, with their reason."""
    unreadable = ['{"message": [1, "SECRET"]}', "1" * 5000, "[" * 3000 + "]" * 3000, "1e400", "null"]
    refused = ["NaN", '{"message": "tru', ""]

    @context.job(name="typed", num_attempts=5)
    async def typed(payload: Ping) -> int:
        return len(payload.message)

    await context.deploy()
    good = await typed.enqueue_many([Ping(message="x" * number) for number in range(50)])
    enqueue = f'select "{context.schema}".enqueue(%s, %s)'
    bad_ids: list[int] = []
    async with context.database.connection() as connection:
        for text in unreadable:
            cursor = await connection.execute(enqueue, ("typed", text))
            bad_ids += await cursor.fetchone()
        for text in refused:
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                await connection.execute(enqueue, ("typed", text))
    good += await typed.enqueue_many([Ping(message="x" * number) for number in range(50, 99)])
    async with Worker(context):
        assert [await handle.result(timeout_secs=10) for handle in good] == list(range(99))
        for bad_id in bad_ids:
            with pytest.raises(JobFailed) as caught:
                await typed.handle(bad_id).result(timeout_secs=10)
            assert caught.value.reason == "invalid_payload"
    jobs = [await context.jobs.get(bad_id) for bad_id in bad_ids]
    assert {(job.reason, job.attempt, job.error_count) for job in jobs} == {("invalid_payload", 1, 0)}
    assert {(await handle.get()).attempt for handle in good} == {1}
    assert "message" in jobs[0].errors[0].message
    assert "SECRET" not in str(jobs[0].errors)


async def test_contextvars_of_one_job_are_not_seen_by_the_next(context: Context):
    """B3: lanes live long; what a job sets stays with the job."""
    mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="clean")

    @context.job(name="marks")
    async def marks(payload: str) -> str:
        found = mark.get()
        mark.set(payload)
        await asyncio.sleep(0.001)
        assert mark.get() == payload
        return found

    @context.job(name="marks-sync")
    def marks_sync(payload: str) -> str:
        found = mark.get()
        mark.set(payload)
        return found

    await context.deploy()
    async with Worker(context, concurrency=1):
        for definition in (marks, marks_sync):
            handles = [await definition.enqueue(f"job {number}") for number in range(5)]
            assert [await handle.result(timeout_secs=10) for handle in handles] == ["clean"] * 5


async def test_concurrency_is_used_and_not_exceeded(context: Context):
    """E1: as many at once as asked for, async and sync."""
    running, most = 0, 0
    lock = threading.Lock()

    def enter() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)

    def leave() -> None:
        nonlocal running
        with lock:
            running -= 1

    @context.job(name="async")
    async def in_loop(payload: int) -> None:
        enter()
        await asyncio.sleep(0.05)
        leave()

    @context.job(name="sync")
    def in_thread(payload: int) -> None:
        enter()
        time.sleep(0.05)
        leave()

    await context.deploy()
    for definition in (in_loop, in_thread):
        most = 0
        async with Worker(context, concurrency=4):
            handles = await definition.enqueue_many(list(range(20)))
            for handle in handles:
                await handle.result(timeout_secs=10)
        assert most == 4


async def test_delay_and_run_at_are_kept(context: Context):
    """C4, C5, D5: not before its moment, and soon after it, without the idle interval between."""
    from datetime import datetime, timedelta

    @context.job(name="late")
    async def late(payload: int, attempt: Attempt) -> float:
        return (datetime.now(UTC) - attempt.queued_at).total_seconds()

    await context.deploy()
    async with Worker(context, poll_secs=30):
        by_delay = await late.enqueue(1, delay_secs=0.4)
        by_moment = await late.enqueue(1, run_at=datetime.now(UTC) + timedelta(seconds=0.6))
        assert (await by_delay.get()).state == JobState.SCHEDULED
        lateness = [await handle.result(timeout_secs=10) for handle in (by_delay, by_moment)]
    assert all(0 <= each < 2 for each in lateness)
    job = await by_delay.get()
    assert job.created_at + timedelta(seconds=0.39) < job.queued_at
    assert job.queued_at <= job.started_at <= job.finalized_at


async def test_channels_and_the_reserved_worker(context: Context):
    """E2, E3: a worker serves the channels it names; one that names none serves all; empty serves none."""
    served: list[tuple[str, str]] = []

    @context.job(name="any")
    async def anyone(payload: str, attempt: Attempt) -> int:
        served.append((payload, "x"))
        return attempt.worker_id

    await context.deploy()
    high, low = await anyone.enqueue("high", channel="HIGH"), await anyone.enqueue("low")
    async with Worker(context, channels=["HIGH"]) as reserved, Worker(context, channels=[]):
        assert await high.result(timeout_secs=10) == reserved.worker_id
        assert (await low.get()).state == JobState.QUEUED
        async with Worker(context) as general:
            assert await low.result(timeout_secs=10) == general.worker_id


@pytest.mark.fault("F7")
async def test_orphans_are_left_and_reported(context: Context, dsn: str):
    """E6, F9, I13: a name the worker does not know is not claimed; it is told of, and run by who knows it."""
    from cuckmq.events import Event, JobOrphaned

    @context.job(name="mine")
    async def mine(payload: int) -> None: ...

    other = Context(dsn, schema=context.schema)

    @other.job(name="theirs")
    async def theirs(payload: int) -> str:
        return "done"

    events: list[Event] = []
    context.add_event_handler(events.append)
    async with other:
        await context.deploy()
        await other.deploy()
        orphan, grouped = await theirs.enqueue(1), await theirs.enqueue(2, job_group="g")
        async with Worker(context):
            assert await (await mine.enqueue(1)).result(timeout_secs=10) is None
            await eventually(
                lambda: {orphan.id, grouped.id} <= {e.job_id for e in events if isinstance(e, JobOrphaned)}
            )
            assert {each.job_id for each in await context.jobs.find_orphans()} == {orphan.id, grouped.id}
            assert (await orphan.get()).attempt == 0
            async with Worker(other):
                assert await orphan.result(timeout_secs=10) == "done"
                assert await grouped.result(timeout_secs=10) == "done"


async def test_class_form_and_bound_methods(context: Context):
    """B1: a definition by class does what the decorator does."""

    class Adder:
        def __init__(self, base: int) -> None:
            self.base = base

        async def add(self, payload: int) -> int:
            return self.base + payload

    add = JobDefinition(context=context, name="add", work_function=Adder(40).add)
    await add.deploy()
    async with Worker(context):
        assert await (await add.enqueue(2)).result(timeout_secs=10) == 42


async def test_a_worker_learns_of_definitions_deployed_later(context: Context):
    """B4: deployed after the worker started, by this process or another: its jobs are run."""

    @context.job(name="early")
    async def early() -> None: ...

    await context.deploy()
    async with Worker(context):

        @context.job(name="late")
        async def late() -> int:
            return 1

        await late.deploy()
        assert await (await late.enqueue()).result(timeout_secs=10) == 1
