"""Worker processes are killed, frozen and told to end; every job is accounted for."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable

import pytest

from cuckmq import Context, JobState
from tests.reliability.rig import Entry, Rig
from tests.support.eventually import eventually

LEASE_SECS = 10.0


@pytest.mark.fault("A1")
async def test_kill_9_in_mid_job_runs_it_again_within_8_s(
    rig: Rig, queue: Context, recovered: Callable[[str, float], None]
):
    """E11, E13, E12, F6, M1: grouped and not; the innocent of one try is not failed; the group moves on."""
    doomed = await rig.start(channels=["doomed"])
    plain = await queue.definitions["hang"].enqueue(0.0, channel="doomed")
    first = await queue.definitions["hang"].enqueue(0.0, channel="doomed", job_group="g")
    second = await queue.definitions["sleep"].enqueue(0.0, channel="doomed", job_group="g")
    await eventually(lambda: len(rig.log.entries("start")) == 2)
    saviour = await rig.start()
    doomed.send(signal.SIGKILL)
    killed_at = time.monotonic()
    await doomed.wait()
    for handle in (plain, first, second):
        await handle.result(timeout_secs=20)
    for handle in (plain, first):
        starts = rig.log.entries("start", handle.id)
        assert [entry.attempt for entry in starts] == [1, 2]
        assert [entry.pid for entry in starts] == [doomed.pid, saviour.pid]
        recovered("A1", starts[1].at - killed_at)
        job = await handle.get()
        assert (job.state, job.error_count, job.stall_count, job.num_attempts) == (
            JobState.SUCCEEDED, 0, 1, 1,
        )  # fmt: skip
    assert rig.log.entries("start", second.id)[0].at > rig.log.entries("end", first.id)[0].at


async def test_a_job_that_never_ends_moves_on(rig: Rig, queue: Context):
    """E30: after kill -9 within 8 s, after SIGTERM within 3 s, and never on two workers at once."""
    workers = [await rig.start(poll_secs=60)]
    handle = await queue.definitions["persistent"].enqueue()
    for ending, limit_secs in ((signal.SIGKILL, 8), (signal.SIGTERM, 3)):
        number = len(workers)
        await eventually(lambda: len(rig.log.entries("start")) == number)  # noqa: B023
        workers.append(await rig.start(poll_secs=60))
        ended_at = time.monotonic()
        workers[-2].send(ending)
        await workers[-2].wait()
        await eventually(lambda: len(rig.log.entries("start")) == number + 1)  # noqa: B023
        assert rig.log.entries("start")[-1].at - ended_at < limit_secs
    starts, (end,) = rig.log.entries("start"), rig.log.entries("end")
    assert [entry.pid for entry in starts] == [worker.pid for worker in workers]
    assert starts[1].at < end.at < starts[2].at
    job = await handle.get()
    assert (job.state, job.error_count, job.stall_count) == (JobState.RUNNING, 0, 1)


@pytest.mark.fault("A13", "A14")
async def test_a_frozen_worker_loses_its_jobs_and_can_change_nothing(rig: Rig, queue: Context):
    """E15, E13: SIGSTOP for longer than the lease: another runs the jobs; the late writes change no row."""
    frozen = await rig.start(concurrency=2)
    running = await queue.definitions["hang"].enqueue(0.0)
    grouped = await queue.definitions["block"].enqueue(1.5, job_group="g")
    await eventually(lambda: len(rig.log.entries("start")) == 2)
    frozen.send(signal.SIGSTOP)
    saviour = await rig.start()
    assert await running.result(timeout_secs=25) == 2
    assert await grouped.result(timeout_secs=25) == 2
    ended = [await handle.get() for handle in (running, grouped)]
    frozen.send(signal.SIGCONT)
    await eventually(lambda: {e.job_id for e in rig.log.entries("lost")} == {running.id, grouped.id})
    assert [await handle.get() for handle in (running, grouped)] == ended
    assert {job.worker_id for job in ended} == {saviour.worker_id}
    saviour.send(signal.SIGTERM)
    assert await saviour.wait() == 0
    again = await queue.definitions["sleep"].enqueue(0.0)
    await again.result(timeout_secs=10)
    assert rig.log.entries("start", again.id)[0].pid == frozen.pid


@pytest.mark.fault("G2")
async def test_a_blocked_event_loop_loses_nothing(rig: Rig, queue: Context):
    """E14: the heart has its own thread, so a job that blocks the loop beyond the lease runs once."""
    await rig.start(heartbeat_secs=0.3, lease_secs=1.5)
    await rig.start(heartbeat_secs=0.3, lease_secs=1.5)
    handle = await queue.definitions["block-loop"].enqueue(4.0)
    assert await handle.result(timeout_secs=15) == 1
    assert len(rig.log.entries("start", handle.id)) == 1


@pytest.mark.fault("A6")
async def test_a_job_that_kills_its_worker_ends(rig: Rig, queue: Context):
    """F6: it survives num_stalls lost workers and fails with the next; its neighbours are unharmed."""
    options = {"heartbeat_secs": 0.2, "lease_secs": 1.0}
    poison = await queue.definitions["poison"].enqueue(None, num_stalls=2)
    innocents = await queue.definitions["sleep"].enqueue_many([0.05] * 20)
    workers = [await rig.start(**options)]
    while True:
        job = await poison.get()
        if job.state.is_final:
            break
        for worker in list(workers):
            if not worker.is_alive:
                workers.remove(worker)
        if len(workers) < 2:
            workers.append(await rig.start(**options))
        await asyncio.sleep(0.05)
    assert (job.state, job.reason, job.stall_count) == (JobState.FAILED, "stalled", 3)
    assert len(rig.log.entries("start", poison.id)) == 3
    for handle in innocents:
        await handle.result(timeout_secs=20)


@pytest.mark.fault("A11")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("seed", "num_rounds"), [(7, 5), *(pytest.param(seed, 40, marks=pytest.mark.full) for seed in range(5))]
)
async def test_sigterm_at_any_moment_leaves_nothing_running(
    rig: Rig, queue: Context, seed: int, num_rounds: int
):
    """E33, M4: ended while claiming, a worker leaves no row of its own behind, at once; 200 times."""
    dice = random.Random(seed)
    for _ in range(num_rounds):
        await queue.definitions["plain"].enqueue_many(list(range(2000)))
        worker = await rig.start()
        await asyncio.sleep(dice.uniform(0, 0.15))
        worker.send(signal.SIGTERM)
        assert await worker.wait() == 0
        counts = await queue.jobs.count()
        assert counts[JobState.RUNNING] == 0
        async with queue.database.connection() as connection:
            cursor = await connection.execute(f'select count(*) from "{queue.schema}".worker')
            assert await cursor.fetchone() == (0,)
    started = rig.log.entries("start")
    assert len({entry.job_id for entry in started}) == len(started)
    assert counts[JobState.SUCCEEDED] == len(started)


async def test_40_groups_4000_jobs_two_workers(rig: Rig, queue: Context):
    """E5, E7, E8, M1: never two of a group at once, by a log outside the database; each in its order."""
    workers = [await rig.start(), await rig.start()]
    numbers = list(range(4000))
    handles = []
    for number in range(0, 4000, 100):
        for group in range(40):
            chunk = [each for each in numbers[number : number + 100] if each % 40 == group]
            handles += await queue.definitions["plain"].enqueue_many(chunk, job_group=f"g{group}")
    await eventually(lambda: len(rig.log.entries("end")) == 4000, timeout_secs=60)
    for handle in handles[-10:]:
        await handle.result(timeout_secs=10)
    by_group: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(rig.log.entries(), key=lambda entry: (entry.at, entry.word == "start")):
        by_group[entry.group].append(entry)
    assert len(by_group) == 40
    for entries in by_group.values():
        assert [entry.word for entry in entries] == ["start", "end"] * 100
        ids = [entry.job_id for entry in entries if entry.word == "start"]
        assert ids == sorted(ids)
    assert {entry.pid for entry in rig.log.entries()} == {worker.pid for worker in workers}


async def test_a_thawed_worker_starts_nothing_that_it_may_have_lost(rig: Rig, queue: Context):
    """E15, E13: jobs claimed ahead before a freeze beyond the lease are not begun after it."""
    options = {"heartbeat_secs": 0.2, "lease_secs": 1.0}
    frozen = await rig.start(concurrency=1, **options)
    handles = await queue.definitions["sleep"].enqueue_many([0.002] * 500)
    await eventually(lambda: len(rig.log.entries("start")) > 60)
    frozen.send(signal.SIGSTOP)
    saviour = await rig.start(**options)
    for handle in handles:
        await handle.result(timeout_secs=30)
    num_begun = len(rig.log.entries("start"))
    frozen.send(signal.SIGCONT)
    saviour.send(signal.SIGTERM)
    assert await saviour.wait() == 0
    again = await queue.definitions["sleep"].enqueue(0.0)
    await again.result(timeout_secs=30)
    assert [(e.job_id, e.pid) for e in rig.log.entries("start")[num_begun:]] == [(again.id, frozen.pid)]


async def test_a_cancellation_reaches_another_process_within_2_s(rig: Rig, queue: Context):
    """C12: CancelledError in an async function, a word to look at in a sync one; cancelled once."""
    await rig.start()
    handles = [await queue.definitions["sleep"].enqueue(60.0), await queue.definitions["heed"].enqueue(0.01)]
    await eventually(lambda: len(rig.log.entries("start")) == 2)
    asked_at = time.monotonic()
    assert [await handle.cancel() for handle in handles] == [True, True]
    await eventually(lambda: len(rig.log.entries("end")) == 2)
    assert max(entry.at for entry in rig.log.entries("end")) - asked_at < 2

    async def are_cancelled() -> bool:
        return {(await handle.get()).state for handle in handles} == {JobState.CANCELLED}

    await eventually(are_cancelled)
    assert len(rig.log.entries("start")) == 2
