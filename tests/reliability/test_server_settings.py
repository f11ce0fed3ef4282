"""Settings of the server, of a role or of a database that were not made with a queue in mind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cuckmq import Attempt, Context, JobState, Worker
from tests.reliability.rig import Log, rig_for
from tests.support.eventually import eventually

Recovered = Callable[[str, float], None]


def _with(dsn: str, **settings: str) -> str:
    """A DSN whose sessions begin as those of a role that has these settings."""
    return make_conninfo(dsn, options=" ".join(f"-c {name}={value}" for name, value in settings.items()))


def _assert_each_once(log: Log, job_ids: list[int]) -> None:
    starts = [entry.job_id for entry in log.entries("start") if entry.job_id in job_ids]
    assert sorted(starts) == sorted(job_ids)


@pytest.mark.parametrize(
    "fault", [("B13", "200ms", 1.0), ("B15", "0", 4.0)], ids=["statement_timeout", "no_timeout"]
)
@pytest.mark.fault("B13", "B15")
async def test_a_table_is_locked_for_a_while(
    dsn: str, schema: str, tmp_path: Path, recovered: Recovered, fault: tuple[str, str, float]
):
    """E35: statements wait, or time out and are tried again; no lease is lost, no job runs twice."""
    row, timeout, locked_secs = fault
    async with rig_for(dsn, schema, tmp_path) as (rig, context):
        # A busy machine may take seconds for what comes after the lock: a beat, before the rescue.
        worker = await rig.start(dsn=_with(dsn, statement_timeout=timeout), concurrency=4, lease_secs=20.0)
        sleep = context.definitions["sleep"]
        first = await sleep.enqueue_many([0.5] * 8)
        await eventually(lambda: len(rig.log.entries("start")) >= 4)
        async with await psycopg.AsyncConnection.connect(dsn) as locker:
            await locker.execute(f"lock table {schema}.running, {schema}.worker in access exclusive mode")
            await asyncio.sleep(locked_secs)  # the fault, which must have some length
        unlocked_at = time.monotonic()
        handles = [*first, await sleep.enqueue(0.0)]
        for handle in handles:
            await handle.result(timeout_secs=30)
        recovered(row, time.monotonic() - unlocked_at)
        assert worker.is_alive
        _assert_each_once(rig.log, [handle.id for handle in handles])
        assert await context.jobs.find_problems() == []


@pytest.mark.fault("B20")
async def test_serializable_by_default(context: Context, dsn: str, caplog: pytest.LogCaptureFixture):
    """E35: our connections ask for READ COMMITTED, so workers that meet do not make each other fail."""
    async with (
        Context(_with(dsn, default_transaction_isolation="serializable"), schema=context.schema) as one,
        Context(_with(dsn, default_transaction_isolation="serializable"), schema=context.schema) as other,
    ):
        levels: set[str] = set()

        async def work(payload: int, attempt: Attempt) -> None:
            async with attempt.transaction() as connection:
                cursor = await connection.execute("show transaction_isolation")
                levels.update(level for (level,) in await cursor.fetchall())

        for each in (one, other):
            each.job(name="j")(work)
        await one.deploy()
        async with Worker(one, concurrency=4), Worker(other, concurrency=4):
            puts = [
                each.definitions["j"].enqueue_many(list(range(100)), job_group=group)
                for each in (one, other)
                for group in ("a", "b", None)
            ]
            for handles in await asyncio.gather(*puts):
                for handle in handles:
                    await handle.result(timeout_secs=30)
    assert levels == {"read committed"}
    assert [record.getMessage() for record in caplog.records if "serialize" in record.getMessage()] == []


@pytest.mark.fault("B21")
async def test_time_zones_of_server_and_worker_do_not_matter(
    dsn: str, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """D1: a moment is a moment: nothing runs early, nothing is rescued early, nothing waits for hours."""
    monkeypatch.setenv("TZ", "America/New_York")
    async with rig_for(_with(dsn, timezone="Pacific/Apia"), schema, tmp_path) as (rig, context):
        await rig.start(lease_secs=2.0, heartbeat_secs=0.5)
        began_at = time.monotonic()
        late = await context.definitions["sleep"].enqueue(3.0, delay_secs=1.0)
        assert await late.result(timeout_secs=15) == 1
        (start,) = rig.log.entries("start", late.id)
        assert start.at - began_at >= 1.0


@pytest.mark.fault("B14")
async def test_a_session_that_idles_in_its_transaction_is_ended(dsn: str, schema: str):
    """E20: the attempt fails with its effects and says why; the next one may succeed."""
    impatient = _with(dsn, idle_in_transaction_session_timeout="300ms")
    async with Context(impatient, schema=schema) as context:

        @context.job(name="j", num_attempts=2, backoff=0.05)
        async def job(payload: None, attempt: Attempt) -> None:
            async with attempt.transaction() as connection:
                await connection.execute(f"insert into {schema}.effect values (%s)", (attempt.number,))
                await asyncio.sleep(1.0 if attempt.number == 1 else 0.0)

        await context.migrate()
        await context.deploy()
        async with context.database.connection() as connection:
            await connection.execute(f"create table {schema}.effect (attempt integer)")
        async with Worker(context):
            handle = await job.enqueue(None)
            await handle.result(timeout_secs=15)
        async with context.database.connection() as connection:
            cursor = await connection.execute(f"select attempt from {schema}.effect")
            assert await cursor.fetchall() == [(2,)]
        found = await context.jobs.get(handle.id)
        assert found.error_count == 1
        assert "idle-in-transaction timeout" in str(found.errors)


@pytest.mark.fault("B12")
async def test_work_functions_take_all_connections_of_the_pool(context: Context):
    """E20: beats and settlements have connections of their own, so nobody loses a lease."""
    runs: list[int] = []

    @context.job(name="hold")
    async def hold(payload: int, attempt: Attempt) -> None:
        runs.append(payload)
        async with attempt.transaction():
            await asyncio.sleep(2.0)

    await context.deploy()
    async with Worker(context, concurrency=14, lease_secs=1.0, heartbeat_secs=0.25):
        held = await hold.enqueue_many(list(range(12)))
        await eventually(lambda: len(runs) == 12)
        for handle in held:
            await handle.result(timeout_secs=20)
    jobs = await context.jobs.get_many([handle.id for handle in held])
    assert {(job.state, job.stall_count, job.error_count) for job in jobs} == {(JobState.SUCCEEDED, 0, 0)}
    assert sorted(runs) == list(range(12))


@pytest.mark.fault("B17")
async def test_a_locked_job_keeps_no_other_waiting(
    dsn: str, schema: str, tmp_path: Path, recovered: Recovered
):
    """E21: a stranger's row lock is passed by, and its job runs when it is gone."""
    async with rig_for(dsn, schema, tmp_path) as (rig, context):
        sleep = context.definitions["sleep"]
        locked, *others = await sleep.enqueue_many([0.0] * 20)
        async with await psycopg.AsyncConnection.connect(dsn) as locker:
            await locker.execute(f"select from {schema}.ready where job_id = {locked.id} for update")
            await rig.start(concurrency=4)
            for handle in others:
                await handle.result(timeout_secs=15)
            assert rig.log.entries("start", locked.id) == []
        unlocked_at = time.monotonic()
        await locked.result(timeout_secs=15)
        recovered("B17", time.monotonic() - unlocked_at)
        _assert_each_once(rig.log, [locked.id, *(handle.id for handle in others)])
