"""Workers are woken; they do not wait for their interval."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from cuckmq import Context, JobHandle, JobState, Worker
from tests.support.eventually import eventually


async def test_a_worker_is_woken_by_another_process_and_by_plain_sql(context: Context, dsn: str):
    """E24: with an idle interval of a minute, jobs enqueued elsewhere start at once."""

    @context.job(name="j")
    async def job(payload: int) -> float:
        return time.monotonic()

    other = Context(dsn, schema=context.schema)

    @other.job(name="j")
    async def same(payload: int) -> float:
        return 0.0

    async with other:
        await context.deploy()
        async with Worker(context, poll_secs=60):
            await context.listener.is_connected.wait()
            await (await job.enqueue(1)).result(timeout_secs=10)
            for number in range(5):
                # Once it has found nothing for a while it sleeps, and only a hint can wake it.
                await _is_asleep(context)
                before = time.monotonic()
                handle = await same.enqueue(number)
                assert await handle.result(timeout_secs=10) - before < 2
            await _is_asleep(context)
            async with other.database.connection() as connection:
                cursor = await connection.execute(f'''select "{context.schema}".enqueue('j', '1')''')
                (job_id,) = await cursor.fetchone()
            await job.handle(job_id).result(timeout_secs=10)


async def _is_asleep(context: Context, asking: str = "exchange") -> None:
    """Wait until the worker's session, or who asks something else, was quiet for a quarter of a second."""

    async def is_quiet() -> bool:
        async with context.database.connection() as connection:
            cursor = await connection.execute(
                "select bool_and(now() - state_change > interval '0.25 s') from pg_stat_activity "
                "where query like %s and pid <> pg_backend_pid() and datname = current_database()",
                (f'%"{context.schema}".{asking}%',),
            )
            row = await cursor.fetchone()
        return bool(row and row[0])

    await eventually(is_quiet)


async def test_a_nearer_moment_wakes_a_sleeping_worker(context: Context):
    """D5, E24: a delayed job enqueued while the worker sleeps is started at its moment."""

    @context.job(name="j")
    async def job(payload: int) -> None: ...

    await context.deploy()
    async with Worker(context, poll_secs=60):
        far = await job.enqueue(1, delay_secs=50)
        near = await job.enqueue(2, delay_secs=0.5)
        await near.result(timeout_secs=10)
        assert (await far.get()).state == JobState.SCHEDULED


async def test_a_cancellation_that_was_not_heard_is_learnt_of_when_the_listener_is_back(
    context: Context, monkeypatch: pytest.MonkeyPatch
):
    """C12: the beat that would tell of it is a minute away."""
    begun = asyncio.Event()

    @context.job(name="j")
    async def job(payload: int) -> None:
        begun.set()
        await asyncio.sleep(60)

    await context.deploy()
    async with Worker(context, heartbeat_secs=60, lease_secs=300):
        await context.listener.is_connected.wait()
        await _is_asleep(context, asking="heartbeat")  # no beat may hear of the cancellation
        handle = await job.enqueue(1)
        await begun.wait()
        with monkeypatch.context() as patch:
            patch.setattr(context.listener, "_subscribers", [])  # it hears, and tells nobody
            heard: list[str] = []
            patch.setattr(context.listener, "_understand", heard.append)
            await handle.cancel()
            await eventually(lambda: f"cancel {handle.id}" in heard)
        assert (await handle.get()).state == JobState.RUNNING
        async with context.database.connection() as connection:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                " and query like '%pg_notify(%demoted%' and pid <> pg_backend_pid()"
            )
        await eventually(lambda: is_cancelled(handle), timeout_secs=10)


async def is_cancelled(handle: JobHandle[None]) -> bool:
    return (await handle.get()).state == JobState.CANCELLED


async def test_short_jobs_travel_in_batches(context: Context):
    """E25: one exchange settles many and claims many."""
    num_exchanges = 0

    @context.job(name="j")
    async def job(payload: int) -> None: ...

    await context.deploy()
    handles = await job.enqueue_many(list(range(2000)))
    async with Worker(context) as worker:
        dispatcher = worker._dispatcher
        exchange = dispatcher._exchange

        async def counted(limit: int) -> None:
            nonlocal num_exchanges
            num_exchanges += 1
            await exchange(limit)

        dispatcher._exchange = counted
        await asyncio.gather(*(handle.result(timeout_secs=20) for handle in handles))
    assert num_exchanges < 200


async def test_a_group_held_beyond_the_ceiling_is_given_on(context: Context):
    """E11: job_group_unlock_secs: who holds a group longer loses it, though it lives."""
    context.job_group_unlock_secs = 1.0
    ended: list[str] = []

    @context.job(name="j", job_group="g", num_stalls=0)
    async def job(payload: int) -> int:
        if payload == 1:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("cut off")
                raise
        return payload

    await context.deploy()
    async with Worker(context, heartbeat_secs=0.2):
        first, second = await job.enqueue(1), await job.enqueue(2)
        assert await second.result(timeout_secs=15) == 2
        await eventually(lambda: ended == ["cut off"])
    found = await first.get()
    assert (found.state, found.reason, found.stall_count) == (JobState.FAILED, "stalled", 1)


async def test_an_idle_worker_takes_a_plain_job_by_a_glance(
    context: Context, monkeypatch: pytest.MonkeyPatch
):
    """E24: in one statement of a single row; what is of a group comes by the look that follows."""
    asked: list[str] = []
    answered: list[str] = []

    @context.job(name="j")
    async def job(payload: int) -> int:
        return payload

    await context.deploy()
    async with Worker(context, poll_secs=60) as worker:
        session, lookout = worker._presence.session, worker._dispatcher._lookout
        run = session.run

        async def noted(statement: Any) -> Any:
            asked.append("glance" if "claim_one" in statement.sql else "look")
            rows = await run(statement)
            answered.append(asked[-1])
            return rows

        async def is_idle() -> bool:
            """See that it awaits no answer; from here on only a hint has it look."""
            if len(answered) < len(asked) or lookout.empty_at is None:
                return False
            lookout.next_at = float("inf")
            return True

        monkeypatch.setattr(session, "run", noted)
        # It is told once, by this process. A notification that came late would be told of what is done.
        monkeypatch.setattr(context.wakes, "is_notice_due", lambda channel: False)
        for group, seen in ((None, ["glance", "look"]), ("g", ["glance", "look"]), (None, ["look"])):
            await _is_asleep(context)
            await eventually(is_idle)
            asked.clear()
            answered.clear()
            assert await (await job.enqueue(1, job_group=group)).result(timeout_secs=10) == 1
            assert asked[: len(seen)] == seen
            assert asked.count("glance") == seen.count("glance")
