"""execution_timeout_secs: what runs too long ends, and harms nobody else."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Generator

import pytest

from cuckmq import Attempt, Context, JobState, Snooze, Worker
from cuckmq.errors import AttemptLost, ExecutionTimeout, JobFailed
from cuckmq.events import AttemptFailed, Event
from cuckmq.events import JobFailed as JobFailedEvent
from tests.support.eventually import eventually


class Gate:
    """Where threads wait, until the test lets them go on."""

    def __init__(self) -> None:
        self.entered: list[int] = []
        self.opened = threading.Event()

    def wait(self, job_id: int) -> None:
        self.entered.append(job_id)
        assert self.opened.wait(60)


@pytest.fixture
def gate() -> Generator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


async def test_an_async_function_is_cancelled_at_its_time(context: Context):
    """E17: it hears it as CancelledError; an error that counts, is tried again, and is the reason at last."""
    heard: list[tuple[int, bool]] = []

    @context.job(name="slow", num_attempts=2, backoff=0, execution_timeout_secs=0.1)
    async def slow(payload: None, attempt: Attempt) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append((attempt.number, attempt.is_cancelled))
            raise

    @context.job(name="quick")
    async def quick() -> str:
        await asyncio.sleep(0)
        return "done"

    events: list[Event] = []
    context.add_event_handler(events.append)
    await context.deploy()
    async with Worker(context, concurrency=1):
        handle = await slow.enqueue()
        with pytest.raises(JobFailed, match=r"ExecutionTimeout: it ran longer .* of 0\.1") as caught:
            await handle.result(timeout_secs=10)
        assert await (await quick.enqueue()).result(timeout_secs=10) == "done"
    assert caught.value.reason == "timeout"
    assert heard == [(1, True), (2, True)]
    job = await handle.get()
    assert (job.state, job.reason, job.attempt, job.error_count) == (JobState.FAILED, "timeout", 2, 2)
    assert [each.type for each in job.errors] == ["ExecutionTimeout"] * 2
    assert "asyncio.sleep(60)" in job.errors[0].traceback
    failed = [each for each in events if isinstance(each, AttemptFailed)]
    assert [(each.error_type, each.state) for each in failed] == [
        ("ExecutionTimeout", JobState.SCHEDULED),
        ("ExecutionTimeout", JobState.FAILED),
    ]
    assert [each.reason for each in events if isinstance(each, JobFailedEvent)] == ["timeout"]


@pytest.mark.parametrize("answer", ["result", "error", "snooze"])
@pytest.mark.fault("G4")
async def test_who_swallows_the_cancellation_has_timed_out_all_the_same(context: Context, answer: str):
    """E17: whatever it says when it comes back, and the lane goes on."""

    @context.job(name="stubborn", execution_timeout_secs=0.05)
    async def stubborn() -> str | Snooze:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        if answer == "error":
            raise ValueError(answer)
        return Snooze(60) if answer == "snooze" else answer

    await context.deploy()
    async with Worker(context, concurrency=1):
        for _ in range(2):
            handle = await stubborn.enqueue()
            with pytest.raises(JobFailed) as caught:
                await handle.result(timeout_secs=10)
            assert caught.value.reason == "timeout"


async def test_who_is_in_time_hears_nothing(context: Context):
    """E17: async or sync, and the next job of the lane is not hit by the clock of the one before."""

    @context.job(name="loop", execution_timeout_secs=0.3)
    async def loop(payload: int) -> int:
        await asyncio.sleep(0)
        return payload

    @context.job(name="thread", execution_timeout_secs=0.3)
    def thread(payload: int) -> int:
        if payload < 0:
            raise ValueError(payload)
        return payload

    @context.job(name="unlimited")
    async def unlimited() -> str:
        await asyncio.sleep(0.5)
        return "done"

    await context.deploy()
    async with Worker(context, concurrency=1):
        handles = [await loop.enqueue(1), await thread.enqueue(2), await unlimited.enqueue()]
        assert [await each.result(timeout_secs=10) for each in handles] == [1, 2, "done"]
        with pytest.raises(JobFailed, match="ValueError: -1") as caught:
            await (await thread.enqueue(-1)).result(timeout_secs=10)
        assert caught.value.reason == "error"


async def test_a_sync_function_ends_at_its_time_though_its_thread_works_on(
    context: Context, gate: Gate, caplog: pytest.LogCaptureFixture
):
    """E17: it is told, the end is given at once, and its lane takes nothing until the thread is back."""
    attempts: list[Attempt] = []

    @context.job(name="stuck", execution_timeout_secs=0.1)
    def stuck(payload: None, attempt: Attempt) -> None:
        attempts.append(attempt)
        gate.wait(attempt.job_id)

    @context.job(name="quick")
    def quick() -> str:
        return "done"

    caplog.set_level(logging.INFO, logger="cuckmq")
    await context.deploy()
    async with Worker(context, concurrency=1, poll_secs=0.05) as worker:
        handle = await stuck.enqueue()
        with pytest.raises(JobFailed) as caught:
            await handle.result(timeout_secs=10)
        assert caught.value.reason == "timeout"
        assert attempts[0].is_cancelled
        assert "has timed out, and its thread works on" in caplog.text
        other = await quick.enqueue()
        await asyncio.sleep(0.3)  # six looks of the worker, which may not claim
        assert (await other.get()).state == JobState.QUEUED
        async with Worker(context) as free:
            assert await other.result(timeout_secs=10) == "done"
            assert (await other.get()).worker_id == free.worker_id
        gate.opened.set()
        again = await quick.enqueue()
        assert await again.result(timeout_secs=10) == "done"
        assert (await again.get()).worker_id == worker.worker_id
        assert "is back after" in caplog.text


async def test_other_lanes_go_on(context: Context, gate: Gate):
    """E17: one straggler costs one lane, not the worker; the job itself may run again meanwhile."""

    @context.job(name="stuck", num_attempts=2, backoff=0, execution_timeout_secs=0.1)
    def stuck(payload: None, attempt: Attempt) -> str:
        if attempt.number == 1:
            gate.wait(attempt.job_id)
        return f"attempt {attempt.number}"

    await context.deploy()
    async with Worker(context, concurrency=2):
        handle = await stuck.enqueue()
        assert await handle.result(timeout_secs=10) == "attempt 2"
        assert not gate.opened.is_set()
        gate.opened.set()
    job = await handle.get()
    assert (job.state, job.error_count, job.errors[0].type) == (JobState.SUCCEEDED, 1, "ExecutionTimeout")


async def test_a_group_stays_closed_while_a_thread_of_it_works(context: Context, gate: Gate):
    """E17, E5: the end is told, and yet no other job of the group begins, on any worker."""

    @context.job(name="stuck", job_group="g", execution_timeout_secs=0.1)
    def stuck(payload: None, attempt: Attempt) -> None:
        gate.wait(attempt.job_id)

    @context.job(name="after", job_group="g")
    async def after() -> bool:
        return gate.opened.is_set()

    await context.deploy()
    async with Worker(context, poll_secs=0.05), Worker(context, poll_secs=0.05):
        handle = await stuck.enqueue()
        waiting = await after.enqueue()
        with pytest.raises(JobFailed):
            await handle.result(timeout_secs=10)
        await asyncio.sleep(0.3)  # six looks of either worker, which find the group closed
        assert (await waiting.get()).state == JobState.QUEUED
        gate.opened.set()
        assert await waiting.result(timeout_secs=10)


async def test_a_worker_stops_though_a_thread_works_on(context: Context, gate: Gate):
    """E17, E33: it leaves the thread behind."""

    @context.job(name="stuck", execution_timeout_secs=0.05)
    def stuck(payload: None, attempt: Attempt) -> None:
        gate.wait(attempt.job_id)

    await context.deploy()
    async with Worker(context):
        handle = await stuck.enqueue()
        with pytest.raises(JobFailed):
            await handle.result(timeout_secs=10)
    assert not gate.opened.is_set()
    assert (await handle.get()).reason == "timeout"


@pytest.mark.parametrize(
    ("rule", "num_errors"),
    [
        ({"no_retry_on": (TimeoutError,)}, 1),
        ({"retry_on": (ValueError,)}, 1),
        ({"retry_on": (ExecutionTimeout,)}, 3),
    ],
)
async def test_a_timeout_goes_by_the_rules(context: Context, rule: dict[str, object], num_errors: int):
    """E17, F4: it is an exception as any other, and the reason stays."""

    async def work() -> None:
        await asyncio.sleep(60)

    slow = context.job(name="slow", num_attempts=3, backoff=0, execution_timeout_secs=0.05, **rule)(work)
    await context.deploy()
    async with Worker(context):
        handle = await slow.enqueue()
        with pytest.raises(JobFailed) as caught:
            await handle.result(timeout_secs=10)
    assert caught.value.reason == "timeout"
    assert (await handle.get()).error_count == num_errors


async def test_what_a_transaction_wrote_is_undone(context: Context):
    """E17, M3: the timeout rolls it back, and the next try commits its own."""

    async with context.database.connection() as connection:
        await connection.execute(f'create table "{context.schema}".effect (attempt integer)')

    @context.job(name="tx", num_attempts=2, backoff=0, execution_timeout_secs=0.5)
    async def tx(payload: None, attempt: Attempt) -> None:
        async with attempt.transaction() as connection:
            await connection.execute(f'insert into "{context.schema}".effect values (%s)', (attempt.number,))
            if attempt.number == 1:
                await asyncio.sleep(60)

    await context.deploy()
    async with Worker(context):
        handle = await tx.enqueue()
        await handle.result(timeout_secs=10)
    async with context.database.connection() as connection:
        cursor = await connection.execute(f'select * from "{context.schema}".effect')
        assert await cursor.fetchall() == [(2,)]


async def test_a_commit_is_not_cut_off(context: Context):
    """E17, M3: time counts to the function's return; a commit that takes longer than the limit stands."""
    async with context.database.connection() as connection:
        await connection.execute(
            f"""
            create table "{context.schema}".effect (attempt integer);
            create function "{context.schema}".dawdle() returns trigger language plpgsql as
                $$ begin perform pg_sleep(0.8); return null; end $$;
            create constraint trigger dawdle after insert on "{context.schema}".effect
                deferrable initially deferred for each row execute function "{context.schema}".dawdle()
            """
        )

    @context.job(name="tx", execution_timeout_secs=0.4)
    async def tx(payload: None, attempt: Attempt) -> str:
        async with attempt.transaction() as connection:
            await connection.execute(f'insert into "{context.schema}".effect values (%s)', (attempt.number,))
        return "committed"

    await context.deploy()
    async with Worker(context):
        handle = await tx.enqueue()
        assert await handle.result(timeout_secs=10) == "committed"
    assert (await handle.get()).error_count == 0


async def test_nothing_is_settled_while_a_thread_holds_its_transaction(context: Context, gate: Gate):
    """E17, M3: the end waits for the thread; then all is undone, and it has timed out."""
    loop = asyncio.get_running_loop()

    @context.job(name="tx", execution_timeout_secs=0.2)
    def tx(payload: None, attempt: Attempt) -> str:
        transaction = attempt.transaction()
        asyncio.run_coroutine_threadsafe(transaction.__aenter__(), loop).result(10)
        attempts.append(attempt)
        gate.wait(attempt.job_id)
        return "too late"

    attempts: list[Attempt] = []
    await context.deploy()
    async with Worker(context):
        handle = await tx.enqueue()
        await eventually(lambda: attempts and attempts[0].is_cancelled)
        await asyncio.sleep(0.2)  # an exchange that gave the outcome would be through by now
        assert (await handle.get()).state == JobState.RUNNING
        gate.opened.set()
        with pytest.raises(JobFailed) as caught:
            await handle.result(timeout_secs=10)
    assert caught.value.reason == "timeout"


async def test_no_transaction_opens_after_the_end(context: Context, gate: Gate):
    """E17: a straggler that only now begins to write is refused at once."""
    loop = asyncio.get_running_loop()
    refused: list[BaseException | None] = []

    @context.job(name="tx", execution_timeout_secs=0.1)
    def tx(payload: None, attempt: Attempt) -> None:
        gate.wait(attempt.job_id)
        transaction = attempt.transaction()
        opening = asyncio.run_coroutine_threadsafe(transaction.__aenter__(), loop)
        refused.append(opening.exception(10))

    await context.deploy()
    async with Worker(context):
        handle = await tx.enqueue()
        with pytest.raises(JobFailed):
            await handle.result(timeout_secs=10)
        gate.opened.set()
        await eventually(lambda: refused)
    assert isinstance(refused[0], AttemptLost)
