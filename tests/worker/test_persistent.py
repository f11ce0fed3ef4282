"""persistent=True: jobs that never end, which move from worker to worker."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cuckmq import Attempt, Cancel, Context, Fail, JobState, Retry, Snooze, Worker
from cuckmq.errors import ConfigurationError, DefinitionError, JobCancelled, JobFailed
from cuckmq.outcome import Outcome
from tests.support.eventually import eventually

FAST = {"heartbeat_secs": 0.2, "lease_secs": 5.0}


class Watch:
    """What runs at this moment, and what has run."""

    def __init__(self) -> None:
        self.worker_ids: list[int] = []
        self.num_running = 0
        self.is_doubled = False

    async def run(self, attempt: Attempt) -> None:
        """Run until cancelled."""
        self.worker_ids.append(attempt.worker_id)
        self.num_running += 1
        self.is_doubled = self.is_doubled or self.num_running > 1
        try:
            await asyncio.Event().wait()
        finally:
            self.num_running -= 1


async def test_it_is_handed_over_when_its_worker_stops(context: Context):
    """E30: at once, not after shutdown_secs; ordinary jobs are waited for meanwhile; no try is counted."""
    watch, release = Watch(), asyncio.Event()

    @context.job(name="bot", persistent=True)
    async def bot(payload: None, attempt: Attempt) -> None:
        await watch.run(attempt)

    @context.job(name="ordinary")
    async def ordinary() -> str:
        await release.wait()
        return "done"

    await context.deploy()
    first, second = Worker(context, concurrency=2), Worker(context, concurrency=2, poll_secs=60)
    await first.start()
    persistent, other = await bot.enqueue(), await ordinary.enqueue()
    await eventually(lambda: watch.num_running == 1)
    await eventually(lambda: first._desk.num_idle_lanes == 0)
    async with second:
        stop = asyncio.create_task(first.stop())
        await eventually(lambda: len(watch.worker_ids) == 2 and watch.num_running == 1)
        assert not stop.done()
        assert watch.worker_ids == [watch.worker_ids[0], second.worker_id]
        release.set()
        assert await other.result(timeout_secs=10) == "done"
        await stop
        job = await persistent.get()
        assert (job.state, job.error_count, job.stall_count) == (JobState.RUNNING, 0, 0)
        assert (job.attempt, job.num_attempts, job.num_stalls) == (2, None, None)
        await persistent.cancel()
        with pytest.raises(JobCancelled):
            await persistent.result(timeout_secs=10)
    assert not watch.is_doubled
    assert watch.num_running == 0


async def test_a_sync_one_is_told_to_stop(context: Context):
    """E30: in a thread it looks at attempt.is_cancelled; what it returns then does not count."""
    started = threading.Event()

    @context.job(name="bot", persistent=True)
    def bot(payload: None, attempt: Attempt) -> None:
        started.set()
        while not attempt.is_cancelled:
            threading.Event().wait(0.005)

    await context.deploy()
    async with asyncio.timeout(20):
        async with Worker(context, shutdown_secs=60):
            handle = await bot.enqueue()
            await asyncio.to_thread(started.wait)
    job = await handle.get()
    assert (job.state, job.attempt, job.error_count, job.stall_count) == (JobState.QUEUED, 1, 0, 0)


async def test_it_survives_any_number_of_lost_workers(context: Context):
    """E30: five times its worker is taken for dead; each time another has it, and it runs once at a time."""
    watch = Watch()

    @context.job(name="bot", persistent=True)
    async def bot(payload: None, attempt: Attempt) -> None:
        await watch.run(attempt)

    await context.deploy()
    async with Worker(context, **FAST), Worker(context, **FAST):
        handle = await bot.enqueue()
        for number in range(5):
            await eventually(lambda: len(watch.worker_ids) == number + 1 and watch.num_running == 1)  # noqa: B023
            await context.workers.evict(watch.worker_ids[-1])
        await eventually(lambda: len(watch.worker_ids) == 6 and watch.num_running == 1)
        job = await handle.get()
        assert (job.state, job.stall_count, job.error_count) == (JobState.RUNNING, 5, 0)
    # When the first of the two stopped it was handed over once more, to the other.
    assert 6 <= len(set(watch.worker_ids)) == len(watch.worker_ids) <= 7


async def test_one_that_lost_workers_does_not_keep_others_out(context: Context, monkeypatch):
    """E30: a suspect runs alone; one that never ends does so only for a while."""
    monkeypatch.setattr("cuckmq._runtime.executor.SUSPICION_SECS", 0.2)
    watch = Watch()

    @context.job(name="bot", persistent=True)
    async def bot(payload: None, attempt: Attempt) -> None:
        await watch.run(attempt)

    @context.job(name="ordinary")
    async def ordinary() -> str:
        return "done"

    await context.deploy()
    async with Worker(context, concurrency=2, **FAST):
        await bot.enqueue()
        for number in range(2):
            await eventually(lambda: len(watch.worker_ids) == number + 1 and watch.num_running == 1)  # noqa: B023
            await context.workers.evict(watch.worker_ids[-1])
        await eventually(lambda: len(watch.worker_ids) == 3 and watch.num_running == 1)
        assert await (await ordinary.enqueue()).result(timeout_secs=10) == "done"


async def test_it_runs_again_whatever_becomes_of_a_run(context: Context):
    """E30: after a return, an error, Retry and Snooze it runs again; Cancel and Fail end it."""
    ends: dict[str, list[int]] = {"cancel": [], "fail": []}

    @context.job(name="bot", persistent=True, backoff=0)
    async def bot(end: str, attempt: Attempt) -> str:
        ends[end].append(attempt.number)
        match len(ends[end]):
            case 1 | 2:
                return "not kept"
            case 3:
                raise ValueError("a pity")
            case 4:
                raise Retry(0)
            case 5:
                raise Snooze(0)
            case _:
                raise Cancel("enough") if end == "cancel" else Fail("broken")

    await context.deploy()
    async with Worker(context):
        cancelled, failed = await bot.enqueue("cancel"), await bot.enqueue("fail")
        with pytest.raises(JobCancelled):
            await cancelled.result(timeout_secs=10)
        with pytest.raises(JobFailed):
            await failed.result(timeout_secs=10)
    assert ends == {"cancel": [1, 2, 3, 4, 5, 6], "fail": [1, 2, 3, 4, 5, 6]}
    assert (await cancelled.get()).error_count == 2


async def test_a_return_in_a_transaction_commits_and_goes_on(context: Context):
    """E30: what a run wrote is committed with the step to the next run."""
    rows: list[int] = []

    @context.job(name="bot", persistent=True, backoff=0)
    async def bot(payload: None, attempt: Attempt) -> None:
        async with attempt.transaction() as connection:
            cursor = await connection.execute(f"select n from {context.schema}_done")
            rows.append(len(await cursor.fetchall()))
            if attempt.number == 3:
                raise Cancel
            await connection.execute(f"insert into {context.schema}_done values (%s)", [attempt.number])

    await context.deploy()
    async with context.database.connection() as connection:
        await connection.execute(f"create table {context.schema}_done (n integer)")
    try:
        async with Worker(context):
            with pytest.raises(JobCancelled):
                await (await bot.enqueue()).result(timeout_secs=10)
    finally:
        async with context.database.connection() as connection:
            await connection.execute(f"drop table {context.schema}_done")
    assert rows == [0, 1, 2]


async def test_a_run_may_begin_while_the_one_before_is_ending(
    context: Context, monkeypatch: pytest.MonkeyPatch
):
    """E30: it has settled itself, and its worker takes the job again before it has heard so itself."""
    has_begun, commit = asyncio.Event(), Attempt.commit
    ending: list[Attempt] = []

    async def slow_commit(self: Attempt, outcome: Outcome) -> None:
        await commit(self, outcome)
        ending.append(self)
        await has_begun.wait()

    monkeypatch.setattr(Attempt, "commit", slow_commit)

    @context.job(name="bot", persistent=True, backoff=0)
    async def bot(payload: None, attempt: Attempt) -> None:
        async with attempt.transaction():
            if attempt.number == 1:
                return
            has_begun.set()
            await eventually(lambda: ending[0] not in worker._desk.running)
            raise Cancel

    await context.deploy()
    async with Worker(context) as worker:
        with pytest.raises(JobCancelled):
            await (await bot.enqueue()).result(timeout_secs=30)
        assert worker._desk.running == {}


async def test_the_wait_after_an_error(context: Context):
    """E30: errors make it wait longer, but not if it ran for longer than that; the latest 20 are kept."""
    waits: list[int] = []
    is_long = False

    def backoff(num_errors: int) -> float:
        waits.append(num_errors)
        return 0.0 if num_errors < 25 else 0.05

    @context.job(name="bot", persistent=True, backoff=backoff)
    async def bot(payload: None, attempt: Attempt) -> None:
        nonlocal is_long
        if attempt.error_count == 25:
            is_long = True
            await asyncio.sleep(0.1)
        if attempt.error_count == 26:
            raise Cancel
        raise ValueError(f"number {attempt.error_count + 1}")

    await context.deploy()
    async with Worker(context):
        handle = await bot.enqueue()
        with pytest.raises(JobCancelled):
            await handle.result(timeout_secs=20)
    # A run longer than a wait of nothing asks for the first wait as well.
    assert waits[-2:] == [26, 1]
    errors = (await handle.get()).errors
    assert [each.message for each in errors[:-1]] == [f"number {number}" for number in range(7, 27)]
    assert is_long


async def test_what_was_claimed_ahead_goes_back_when_no_lane_is_left(context: Context):
    """E30: persistent jobs may have every lane; what lies behind them is left to other workers."""
    watch, num_done = Watch(), 0

    @context.job(name="bot", persistent=True)
    async def bot(payload: None, attempt: Attempt) -> None:
        await watch.run(attempt)

    @context.job(name="short")
    async def short(payload: int) -> None:
        nonlocal num_done
        num_done += 1

    await context.deploy()
    first = Worker(context, concurrency=1)
    await first.start()
    await short.enqueue_many(list(range(2000)))
    await eventually(lambda: num_done >= 200)
    assert first._dispatcher._room._appetite.target > 1
    first._desk.changed.set()
    await bot.enqueue(priority=1)
    await short.enqueue_many(list(range(500)))
    await eventually(lambda: watch.num_running == 1, timeout_secs=20)
    await eventually(lambda: len(first._desk.in_hand) == 1)
    assert first._dispatcher._limit() == 0
    async with Worker(context):
        await eventually(lambda: num_done == 2500, timeout_secs=30)
        await first.stop()


def test_options_that_do_not_go_together(context: Context):
    """E30: what would hold a group for good, or limit what has no end, is refused when it is defined."""

    def nothing() -> None: ...

    with pytest.raises(DefinitionError, match="keep its job_group"):
        context.job(name="a", persistent=True, job_group="g")(nothing)
    with pytest.raises(DefinitionError, match="leave execution_timeout_secs out"):
        context.job(name="b", persistent=True, execution_timeout_secs=1)(nothing)
    with pytest.raises(DefinitionError, match="True or False"):
        context.job(name="c", persistent="yes")(nothing)  # type: ignore[call-overload]


async def test_a_group_is_refused_when_it_is_put_in(context: Context):
    """E30: and a limit on errors that is given holds."""

    @context.job(name="bot", persistent=True, num_attempts=2, backoff=0)
    async def bot() -> None:
        raise ValueError

    await context.deploy()
    with pytest.raises(ConfigurationError, match="leave it out"):
        await bot.enqueue(job_group="g")
    async with Worker(context):
        with pytest.raises(JobFailed):
            await (await bot.enqueue()).result(timeout_secs=10)
