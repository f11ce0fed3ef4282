"""What work functions leave behind, and what a worker gathers as time goes by."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from pathlib import Path

import pytest

from cuckmq import Attempt, Context, JobState, Worker
from tests.support.eventually import eventually


def count_files() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.fault("G10")
async def test_threads_and_tasks_that_outlive_their_job(context: Context) -> None:
    """E33: the job ends when its function returns, others run, and the worker stops without waiting."""
    release = threading.Event()
    left: list[threading.Thread | asyncio.Task[bool]] = []

    @context.job(name="leave")
    async def leave() -> str:
        thread = threading.Thread(target=release.wait, args=(60,), daemon=True)
        thread.start()
        left.extend([thread, asyncio.create_task(asyncio.Event().wait())])
        return "done"

    @context.job(name="leave-sync")
    def leave_sync() -> str:
        thread = threading.Thread(target=release.wait, args=(60,), daemon=True)
        thread.start()
        left.append(thread)
        return "done"

    await context.deploy()
    async with asyncio.timeout(20):
        async with Worker(context, concurrency=1):
            for definition in (leave, leave_sync, leave):
                assert await (await definition.enqueue()).result(timeout_secs=10) == "done"
    threads = [each for each in left if isinstance(each, threading.Thread)]
    assert [each.is_alive() for each in threads] == [True] * 3
    release.set()
    for each in left:
        if isinstance(each, asyncio.Task):
            each.cancel()
        else:
            each.join(10)


@pytest.mark.fault("G12")
async def test_a_worker_keeps_nothing_of_the_jobs_it_has_run(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    """F10: of those that raise neither; after thousands it holds as many objects and files as before."""
    caplog.set_level(logging.CRITICAL, logger="cuckmq")  # what is captured would be kept

    @context.job(name="work")
    async def work(payload: int) -> None:
        if payload % 10 == 0:
            raise ValueError(payload)

    @context.job(name="work-sync")
    def work_sync(payload: int) -> None:
        if payload % 10 == 0:
            raise ValueError(payload)

    async def go_through(worker: Worker) -> tuple[int, int, int]:
        for definition in (work, work_sync):
            await definition.enqueue_many(list(range(1_000)))
        await worker.wait_until_idle()
        gc.collect()
        objects = gc.get_objects()
        num_attempts = sum(isinstance(each, Attempt) for each in objects)
        return len(objects), num_attempts, count_files()

    await context.deploy()
    async with Worker(context) as worker:
        await go_through(worker)
        num_objects, num_attempts, num_files = await go_through(worker)
        for _ in range(2):
            objects, attempts, files = await go_through(worker)
        assert objects - num_objects < 500
        assert attempts <= num_attempts + 1
        assert files <= num_files + 2
    assert (await context.jobs.count())[JobState.SUCCEEDED] == 4 * 1_800


@pytest.mark.fault("H13")
async def test_an_idle_worker_gathers_nothing(context: Context) -> None:
    """E25: after a hundred beats: the same tasks, threads, files and sessions, its row updated in place."""

    async def look() -> tuple[int, int, int, int]:
        async with context.database.connection() as connection:
            cursor = await connection.execute(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and pid <> pg_backend_pid() and application_name = 'cuckmq'"
            )
            (num_sessions,) = await cursor.fetchone()
        return len(asyncio.all_tasks()), threading.active_count(), count_files(), num_sessions

    async def num_beats() -> tuple[int, int]:
        async with context.database.connection() as connection:
            cursor = await connection.execute(
                "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"
                " where schemaname = %s and relname = 'worker'",
                (context.schema,),
            )
            return await cursor.fetchone()

    async def has_beaten(number: int) -> bool:
        return (await num_beats())[0] >= number

    await context.deploy()
    async with Worker(context, heartbeat_secs=0.05, lease_secs=5, poll_secs=0.05):
        await eventually(lambda: has_beaten(20), timeout_secs=30)
        before = await look()
        await eventually(lambda: has_beaten(120), timeout_secs=60)
        after = await look()
        num_updated, num_hot = await num_beats()
        assert all(then <= now + 2 for now, then in zip(before, after, strict=True)), (before, after)
        assert num_hot >= 0.9 * num_updated
