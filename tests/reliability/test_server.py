"""The server goes away and comes back; daemons go on by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cuckmq import Context, JobDefinition, JobState, Orchestrator, Worker
from cuckmq.database.run import run
from cuckmq.errors import EnqueueUnknown
from cuckmq.events import JobEnded
from cuckmq.protocol import inspect
from tests.reliability.rig import rig_for
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.fault("B3", "B4")
async def test_the_database_is_restarted_under_worker_and_orchestrator(
    private_cluster: PrivateCluster, tmp_path: Path, recovered: Callable[[str, float], None], at_once: bool
):
    """E35, M4, D5: after a crash or a stop of the server, claims, repeats and schedules go on."""
    async with rig_for(private_cluster.dsn, "restarted", tmp_path) as (rig, context):
        ticks: list[float] = []

        @context.job(name="tick", repeat_secs=0.5)
        async def tick() -> None:
            ticks.append(time.monotonic())

        await tick.deploy()
        worker = await rig.start()
        async with Orchestrator(context), Worker(context):
            handles = await context.definitions["sleep"].enqueue_many([0.2] * 40)
            await eventually(lambda: len(rig.log.entries("start")) >= 5)
            await asyncio.to_thread(private_cluster.stop, at_once=at_once)
            await asyncio.sleep(1)  # the outage itself, which must have some length
            stopped_at = time.monotonic()
            await asyncio.to_thread(private_cluster.start)
            started_at = time.monotonic()
            await eventually(lambda: ticks and ticks[-1] > stopped_at + 0.5, timeout_secs=30)
            for handle in handles:
                await handle.result(timeout_secs=30)
            again = await context.definitions["sleep"].enqueue(0.0)
            assert await again.result(timeout_secs=10) == 1
            recovered("B3" if at_once else "B4", time.monotonic() - started_at)
        assert worker.is_alive
        assert max(job.stall_count for job in await context.jobs.get_many([h.id for h in handles])) == 0
        worker.send(signal.SIGTERM)
        assert await worker.wait() == 0
        assert (await context.jobs.count())[JobState.RUNNING] == 0
        assert await context.jobs.find_problems() == []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.fault("B3", "B4")
async def test_who_subscribed_hears_on(private_cluster: PrivateCluster, tmp_path: Path, at_once: bool):
    """I2: of what happens after a crash or a stop of the server, though the table of events is empty then."""
    async with rig_for(private_cluster.dsn, "hearing", tmp_path) as (rig, context):
        sleep = context.definitions["sleep"]
        async with context.subscribe(JobEnded) as events:
            await rig.start()
            before = [handle.id for handle in await sleep.enqueue_many([0.0] * 20)]
            async with asyncio.timeout(30):
                assert {(await anext(events)).job_id for _ in before} == set(before)
            await asyncio.to_thread(private_cluster.stop, at_once=at_once)
            hearing = asyncio.create_task(anext(events))
            await asyncio.sleep(1)  # the outage itself, which must have some length
            await asyncio.to_thread(private_cluster.start)
            after = [handle.id for handle in await sleep.enqueue_many([0.0] * 5)]
            async with asyncio.timeout(30):
                heard = [(await hearing).job_id, *[(await anext(events)).job_id for _ in after[1:]]]
            assert sorted(heard) == after


@pytest.mark.fault("B1")
async def test_every_session_of_a_worker_is_terminated(dsn: str, context: Context):
    """E35: whichever connection is cut, and whenever, nothing is lost and nothing is left behind."""
    runs: list[int] = []

    @context.job(name="j", num_attempts=1)
    async def job(payload: int) -> None:
        runs.append(payload)
        await asyncio.sleep(0.001)

    await context.deploy()
    # Who enqueues is not cut: of a commit whose answer is lost, nobody could say whether it was made.
    producer = Context(make_conninfo(dsn, application_name="producer"), schema=context.schema)
    put = JobDefinition(context=producer, name="j", work_function=job.work_function)
    async with (
        producer,
        Worker(context),
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as axe,
    ):
        async with asyncio.TaskGroup() as group:
            handles: list[int] = []

            async def produce() -> None:
                for number in range(0, 3000, 50):
                    handles.extend(
                        each.id for each in await put.enqueue_many(list(range(number, number + 50)))
                    )

            async def cut() -> None:
                for _ in range(15):
                    await axe.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity "
                        "where pid <> pg_backend_pid() and datname = current_database() "
                        "and application_name = 'cuckmq'",
                    )
                    await asyncio.sleep(0.03)

            group.create_task(produce())
            group.create_task(cut())

        async def all_done() -> bool:
            return (await context.jobs.count())[JobState.SUCCEEDED] == 3000

        await eventually(all_done, timeout_secs=30)
    assert set(runs) == set(range(3000))
    assert (await context.jobs.count())[JobState.FAILED] == 0


async def test_two_orchestrators_miss_no_slot_and_double_none(context: Context, dsn: str):
    """D1, D3, L4: a repeat of 1 s for 30 s: each slot once, none left out."""
    slots: list[tuple[object, int]] = []

    @context.job(name="often", repeat_secs=1)
    async def often() -> None: ...

    from cuckmq.events import Event, ScheduleTicked

    def note(event: Event) -> None:
        if isinstance(event, ScheduleTicked):
            slots.append((event.slot_at, event.job_id))

    other = Context(dsn, schema=context.schema)

    @other.job(name="often", repeat_secs=1)
    async def often_too() -> None: ...

    context.add_event_handler(note)
    other.add_event_handler(note)
    async with other:
        await often.deploy()
        async with Orchestrator(context), Orchestrator(other):
            await eventually(lambda: len(slots) >= 31, timeout_secs=60)
    moments = sorted(slot for slot, _ in slots)
    assert len(set(moments)) == len(moments)
    gaps = {round((b - a).total_seconds(), 3) for a, b in itertools.pairwise(moments)}
    assert gaps == {1.0}
    async with context.database.connection() as connection:
        counts = dict(await run(connection, inspect.count_jobs(), context.schema))
    assert counts["queued"] == len(slots)


async def test_the_program_of_the_readme_prints_1000_lines_and_leaves_nothing(dsn: str, schema: str):
    """N1, E1: as a user would run it: 1000 lines, exit 0, nothing running; and again with a SIGTERM."""
    program = Path(__file__).with_name("readme_program.py")

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, str(program), dsn, schema, stdout=asyncio.subprocess.PIPE
        )

    process = await start()
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert len(set(output.decode().splitlines())) == 1000

    process = await start()
    assert process.stdout is not None
    for _ in range(100):
        assert await asyncio.wait_for(process.stdout.readline(), 20)
    process.send_signal(signal.SIGTERM)
    signalled_at = time.monotonic()
    await process.communicate()
    assert time.monotonic() - signalled_at < 5
    assert process.returncode == 0
    async with Context(dsn, schema=schema) as context:
        assert (await context.jobs.count())[JobState.RUNNING] == 0
        assert await context.jobs.find_problems() == []


@pytest.mark.fault("B2")
async def test_a_backend_is_killed_and_the_server_restarts_all(
    private_cluster: PrivateCluster, tmp_path: Path, recovered: Callable[[str, float], None]
):
    """E35: the server ends every session, recovers, and all goes on."""
    async with rig_for(private_cluster.dsn, "restarted", tmp_path) as (rig, context):
        worker = await rig.start(concurrency=4)
        sleep = context.definitions["sleep"]
        handles = await sleep.enqueue_many([0.2] * 40)
        await eventually(lambda: len(rig.log.entries("start")) >= 5)
        async with context.database.connection() as connection:
            cursor = await connection.execute("select pg_backend_pid()")
            ((victim,),) = await cursor.fetchall()
        os.kill(victim, signal.SIGKILL)
        killed_at = time.monotonic()

        async def is_back() -> bool:
            with contextlib.suppress(psycopg.Error, EnqueueUnknown):
                return await (await sleep.enqueue(0.0)).result(timeout_secs=30) == 1
            return False

        await eventually(is_back, timeout_secs=30)
        for handle in handles:
            await handle.result(timeout_secs=30)
        recovered("B2", time.monotonic() - killed_at)
        assert worker.is_alive
        starts = [entry.job_id for entry in rig.log.entries("start")]
        assert sorted({handle.id for handle in handles} & set(starts)) == sorted(h.id for h in handles)
        assert all(starts.count(handle.id) == 1 for handle in handles), "a try was made twice"
        assert await context.jobs.find_problems() == []
