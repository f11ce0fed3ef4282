"""executor="process": work functions in processes of their own, which may die without harm to others."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cuckmq import Context, JobHandle, JobState, Worker
from cuckmq.errors import DefinitionError, JobCancelled, JobFailed, TooManyDeaths
from tests.docs.pages import ROOT
from tests.processes import work
from tests.reliability.rigs.memory import memory_of
from tests.support.eventually import eventually


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def is_stopped(pid: int) -> bool:
    """Whether each thread of a process has heard of SIGSTOP."""
    stats = [
        each.read_text().rpartition(")")[2].split()[0] for each in Path(f"/proc/{pid}/task").glob("*/stat")
    ]
    return set(stats) == {"T"}


async def has_state(handle: JobHandle[Any], state: JobState) -> bool:
    return (await handle.get()).state is state


async def test_a_job_runs_in_a_process_of_its_own(context: Context):
    """E28: with a typed payload, a typed result, and one process for many jobs."""
    add = context.job(name="add", executor="process")(work.add)
    await context.deploy()
    async with Worker(context, concurrency=1):
        results = [
            await (await add.enqueue(work.Sum(left=1, right=each))).result(timeout_secs=30)
            for each in range(3)
        ]
    assert [each["sum"] for each in results] == [1, 2, 3]
    (pid,) = {each["pid"] for each in results}
    assert pid != os.getpid()
    assert is_gone(pid)


async def test_a_process_is_used_up(context: Context):
    """E28: after max_jobs_per_child jobs another takes its place, for libraries that leak."""
    add = context.job(name="add", executor="process")(work.add)
    await context.deploy()
    async with Worker(context, concurrency=1, max_jobs_per_child=2):
        pids = [
            (await (await add.enqueue(work.Sum(left=1, right=1))).result(timeout_secs=30))["pid"]
            for _ in range(4)
        ]
    assert pids[0] == pids[1] != pids[2] == pids[3]


@pytest.mark.fault("A4")
async def test_the_death_of_a_process_fails_one_job(context: Context):
    """E28: it counts as an error, says which signal it was, and is tried again; the pool is rebuilt."""
    die = context.job(name="die", executor="process")(work.die)
    leave = context.job(name="leave", executor="process")(work.leave)
    die_once = context.job(name="die_once", executor="process", num_attempts=2, backoff=0)(work.die_once)
    add = context.job(name="add", executor="process")(work.add)
    await context.deploy()
    async with Worker(context, concurrency=4):
        killed, left = await die.enqueue(signal.SIGSEGV), await leave.enqueue(3)
        again, other = await die_once.enqueue(), await add.enqueue(work.Sum(left=1, right=1))
        with pytest.raises(JobFailed, match=r"ProcessDied: process .* was killed by SIGSEGV"):
            await killed.result(timeout_secs=30)
        with pytest.raises(JobFailed, match="ended with exit code 3"):
            await left.result(timeout_secs=30)
        assert await again.result(timeout_secs=30) == 1
        assert (await other.result(timeout_secs=30))["sum"] == 2
    assert [each.type for each in (await again.get()).errors] == ["ProcessDied"]


@pytest.mark.fault("A5")
async def test_a_job_takes_more_memory_than_there_is(
    context: Context, recovered: Callable[[str, float], None]
):
    """E28: its process is killed at each of its tries, and says why; the worker and its neighbours go on."""
    devour = context.job(name="devour", executor="process", num_attempts=3, backoff=0)(work.devour)
    add = context.job(name="add", executor="process")(work.add)
    await context.deploy()
    async with memory_of(os.getpid(), 150 << 20) as killed, Worker(context, concurrency=2) as worker:
        worker_id = worker.worker_id
        handle = await devour.enqueue(400 << 20)
        neighbours = await add.enqueue_many([work.Sum(left=1, right=each) for each in range(20)])
        with pytest.raises(JobFailed, match=r"was killed by SIGKILL; if nobody did, .* out of memory"):
            await handle.result(timeout_secs=60)
        killed_at = time.monotonic()
        assert (await (await add.enqueue(work.Sum(left=2, right=2))).result(timeout_secs=10))["sum"] == 4
        recovered("A5", time.monotonic() - killed_at)
        assert [(await each.result(timeout_secs=10))["sum"] for each in neighbours] == list(range(1, 21))
        assert worker.worker_id == worker_id
    job = await handle.get()
    assert (len(killed), len(job.errors), job.stall_count) == (3, 3, 0)
    assert {each.type for each in job.errors} == {"ProcessDied"}


async def test_a_process_that_died_while_idle_is_no_jobs_fault(context: Context):
    """E28: the job that would have got it is run by another, and no try is counted."""
    add = context.job(name="add", executor="process")(work.add)
    await context.deploy()
    async with Worker(context, concurrency=1):
        first = await (await add.enqueue(work.Sum(left=1, right=1))).result(timeout_secs=30)
        os.kill(first["pid"], signal.SIGKILL)
        await eventually(lambda: is_gone(first["pid"]))
        handle = await add.enqueue(work.Sum(left=1, right=2))
        second = await handle.result(timeout_secs=30)
    assert (second["sum"], (await handle.get()).error_count) == (3, 0)
    assert second["pid"] != first["pid"]


async def test_a_process_that_died_before_it_read_its_order_is_no_jobs_fault(context: Context):
    """E28: it says nothing when it begins, so that is told by what lies in its pipe."""
    add = context.job(name="add", executor="process")(work.add)
    await context.deploy()
    async with Worker(context, concurrency=1):
        first = await (await add.enqueue(work.Sum(left=1, right=1))).result(timeout_secs=30)
        os.kill(first["pid"], signal.SIGSTOP)
        await eventually(lambda: is_stopped(first["pid"]))
        handle = await add.enqueue(work.Sum(left=1, right=2))
        await eventually(lambda: has_state(handle, JobState.RUNNING))
        os.kill(first["pid"], signal.SIGKILL)
        second = await handle.result(timeout_secs=30)
    assert (second["sum"], (await handle.get()).error_count) == (3, 0)
    assert second["pid"] != first["pid"]


async def test_short_jobs_are_done_by_few(context: Context, monkeypatch: pytest.MonkeyPatch):
    """E28: a start costs as much as a thousand of them; so no more are started than there are processors."""
    for name in ("GROW_SECS", "GROW_PAUSE_SECS"):
        monkeypatch.setattr(f"cuckmq._runtime.processes.{name}", 1e9)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    add = context.job(name="add", executor="process")(work.add)
    await context.deploy()
    async with Worker(context, concurrency=10):
        handles = await add.enqueue_many([work.Sum(left=1, right=each) for each in range(200)])
        pids = {(await each.result(timeout_secs=30))["pid"] for each in handles}
    assert len(pids) <= 2


async def test_long_jobs_have_a_process_each(context: Context, tmp_path: Path):
    """E28: none waits for the end of another, however many processors there are."""
    meet = context.job(name="meet", executor="process")(work.meet)
    await context.deploy()
    async with Worker(context, concurrency=4):
        handles = await meet.enqueue_many([str(tmp_path)] * 4)
        pids = {await each.result(timeout_secs=60) for each in handles}
    assert len(pids) == 4


async def test_a_job_is_cancelled_while_it_waits_for_a_process(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """E28: it never begins, and harms no process."""
    monkeypatch.setattr("cuckmq._runtime.processes.GROW_SECS", 1e9)
    monkeypatch.setattr("cuckmq._runtime.processes.GROW_PAUSE_SECS", 1e9)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    meet = context.job(name="meet", executor="process")(work.meet)
    await context.deploy()
    async with Worker(context, concurrency=2, heartbeat_secs=0.2):
        one = await meet.enqueue(str(tmp_path))
        await eventually(lambda: any(tmp_path.iterdir()), timeout_secs=30)
        other = await meet.enqueue(str(tmp_path))
        await eventually(lambda: has_state(other, JobState.RUNNING))
        await other.cancel()
        with pytest.raises(JobCancelled):
            await other.result(timeout_secs=30)
        for number in range(3):
            (tmp_path / f"other-{number}").touch()
        assert await one.result(timeout_secs=30)


async def test_what_a_work_function_may_say(context: Context):
    """E28: exceptions keep their names and tracebacks, retry_on knows them, and verdicts are understood."""
    regret = context.job(
        name="regret", executor="process", num_attempts=5, backoff=0, no_retry_on=(LookupError,)
    )(work.regret)
    give_up = context.job(name="give_up", executor="process")(work.give_up)
    put_off = context.job(name="put_off", executor="process")(work.put_off)
    lie = context.job(name="lie", executor="process")(work.lie)
    await context.deploy()
    async with Worker(context, concurrency=2):
        with pytest.raises(JobFailed, match="Sorry: a pity"):
            await (sorry := await regret.enqueue("a pity")).result(timeout_secs=30)
        with pytest.raises(JobCancelled):
            await (await give_up.enqueue()).result(timeout_secs=30)
        assert await (await put_off.enqueue()).result(timeout_secs=30) == 2
        with pytest.raises(JobFailed) as caught:
            await (await lie.enqueue()).result(timeout_secs=30)
    assert caught.value.reason == "invalid_result"
    (error,) = (await sorry.get()).errors
    assert error.type == "Sorry"
    assert "raise Sorry(payload)" in error.traceback


@pytest.mark.fault("G1", "F3")
async def test_whatever_is_raised_in_a_process_fails_that_job_only(context: Context):
    """E28, F10: also what would end a program, and what cannot be sent; the process takes the next job."""
    rage = context.job(name="rage", executor="process")(work.rage)
    add = context.job(name="add", executor="process")(work.add)
    kinds = ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "Unpicklable")
    await context.deploy()
    async with Worker(context, concurrency=1):
        before = await (await add.enqueue(work.Sum(left=1, right=1))).result(timeout_secs=30)
        for kind in kinds:
            with pytest.raises(JobFailed, match=kind) as caught:
                await (await rage.enqueue(kind)).result(timeout_secs=30)
            assert caught.value.reason == "error"
        after = await (await add.enqueue(work.Sum(left=1, right=1))).result(timeout_secs=30)
    assert before["pid"] == after["pid"]


async def test_the_attempt_can_be_read(context: Context):
    """E28: transaction() and state, which are the worker's, are refused with what to do instead."""
    tell = context.job(name="tell", executor="process", job_group="g", num_attempts=2)(work.tell)
    write = context.job(name="write", executor="process")(work.write)
    look_up = context.job(name="look_up", executor="process")(work.look_up)
    await context.deploy()
    async with Worker(context, concurrency=2):
        handle = await tell.enqueue()
        assert await handle.result(timeout_secs=30) == [handle.id, "tell", 1, "g", False]
        with pytest.raises(JobFailed, match=r"attempt\.transaction\(\) is not to be had"):
            await (await write.enqueue()).result(timeout_secs=30)
        with pytest.raises(JobFailed, match=r"attempt\.state belongs to the worker"):
            await (await look_up.enqueue()).result(timeout_secs=30)


async def test_a_cancelled_job_is_told_and_then_killed(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """E28: one that listens ends by itself, one that does not is killed after the grace."""
    monkeypatch.setattr("cuckmq._runtime.processes.GRACE_SECS", 1.0)
    heed = context.job(name="heed", executor="process")(work.heed)
    ignore = context.job(name="ignore", executor="process")(work.ignore)
    await context.deploy()
    heeding, ignoring = tmp_path / "heed", tmp_path / "ignore"
    async with Worker(context, concurrency=2, heartbeat_secs=0.2):
        one, other = await heed.enqueue(str(heeding)), await ignore.enqueue(str(ignoring))
        await eventually(lambda: heeding.exists() and ignoring.exists(), timeout_secs=30)
        pid = int(await eventually(ignoring.read_text))
        await one.cancel()
        await other.cancel()
        for each in (one, other):
            with pytest.raises(JobCancelled):
                await each.result(timeout_secs=30)
        assert heeding.read_text() == "told: cancelled"
        await eventually(lambda: is_gone(pid))


async def test_a_job_out_of_time_is_killed(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """E28, E17: its lane is free again, which a thread's would not be."""
    monkeypatch.setattr("cuckmq._runtime.processes.GRACE_SECS", 0.2)
    ignore = context.job(name="ignore", executor="process", execution_timeout_secs=3)(work.ignore)
    add = context.job(name="add", executor="process")(work.add)
    await context.deploy()
    async with Worker(context, concurrency=1):
        handle = await ignore.enqueue(str(tmp_path / "pid"))
        after = await add.enqueue(work.Sum(left=1, right=1))
        with pytest.raises(JobFailed) as caught:
            await handle.result(timeout_secs=30)
        assert (await after.result(timeout_secs=30))["sum"] == 2
    assert caught.value.reason == "timeout"


@pytest.mark.fault("G3")
async def test_a_silent_process_is_killed(context: Context):
    """E28: one that is stopped, or whose C code holds the interpreter, fails its job as a dead one does."""
    die = context.job(name="die", executor="process")(work.die)
    await context.deploy()
    async with Worker(context, concurrency=1, child_ping_secs=1):
        with pytest.raises(JobFailed, match=r"ProcessDied: .* gave no sign of life"):
            await (await die.enqueue(signal.SIGSTOP)).result(timeout_secs=30)


async def test_a_storm_of_deaths_stops_the_worker(context: Context):
    """E28: after ten within 15 s it ends itself and says why; the tries of the rest are not burned."""
    die = context.job(name="die", executor="process")(work.die)
    await context.deploy()
    handles = await die.enqueue_many([signal.SIGKILL] * 30)
    worker = Worker(context, concurrency=5)
    with pytest.raises(TooManyDeaths, match="10 processes of its pool died within 15 s"):
        await asyncio.wait_for(worker.run(), 60)
    assert worker.breakdown is not None
    jobs = [await each.get() for each in handles]
    failed = [each for each in jobs if each.state == JobState.FAILED]
    assert 10 <= len(failed) < 15
    rest = [each for each in jobs if each.state != JobState.FAILED]
    assert {(each.state, each.error_count, each.stall_count) for each in rest} == {(JobState.QUEUED, 0, 0)}


async def test_a_hasty_stop_kills_and_gives_back(context: Context, tmp_path: Path):
    """E28, E34: what runs in a process goes back with no try counted, and the process is gone."""
    ignore = context.job(name="ignore", executor="process")(work.ignore)
    await context.deploy()
    path = tmp_path / "pid"
    async with Worker(context, concurrency=1) as worker:
        handle = await ignore.enqueue(str(path))
        pid = int(await eventually(lambda: path.exists() and path.read_text(), timeout_secs=30))
        worker.hasten()
    assert is_gone(pid)
    job = await handle.get()
    assert (job.state, job.error_count, job.stall_count) == (JobState.QUEUED, 0, 0)
    await handle.cancel()


async def test_processes_die_with_their_worker(dsn: str, context: Context, tmp_path: Path):
    """E28: also by kill -9, which leaves it no moment to say good-bye."""
    ignore = context.job(name="ignore", executor="process")(work.ignore)
    await context.deploy()
    path = tmp_path / "pid"
    handle = await ignore.enqueue(str(path))
    program = [sys.executable, "-m", "tests.processes.program", dsn, context.schema]
    with subprocess.Popen(program, cwd=ROOT) as worker:  # noqa: ASYNC220 - it is killed at once
        try:
            pid = int(await eventually(lambda: path.exists() and path.read_text(), timeout_secs=30))
            assert not is_gone(pid)
        finally:
            worker.kill()
    await eventually(lambda: is_gone(pid))
    await handle.cancel()
    async with Worker(context, concurrency=1, heartbeat_secs=0.2, lease_secs=1.0):
        with pytest.raises(JobCancelled):
            await handle.result(timeout_secs=30)


async def test_what_cannot_be_imported_is_refused(context: Context):
    """E28: when it is defined, with what to do."""

    def local() -> None: ...

    async def on_the_loop() -> None: ...

    def of_the_program() -> None: ...

    of_the_program.__module__, of_the_program.__qualname__ = "__main__", "of_the_program"
    partial = functools.partial(work.leave, 1)
    for function, why in [
        (local, "lives inside a function"),
        (on_the_loop, "runs on the event loop"),
        (of_the_program, "belongs to the program that was started"),
        (partial, "cannot run in a process of its own"),
    ]:
        with pytest.raises(DefinitionError, match=why):
            context.job(name="refused", executor="process")(function)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match='executor is "process" or None'):
        context.job(name="refused", executor="rocket")(work.leave)  # type: ignore[call-overload]


async def test_what_a_process_says_of_its_job_the_worker_writes(context: Context):
    """G5, G6, E28: the last word lands before the end; what needs the database is refused."""
    speak = context.job(name="speak", executor="process")(work.speak)
    await context.deploy()
    async with Worker(context):
        handle = await speak.enqueue(500)
        (refused,) = await handle.result(timeout_secs=30)
    assert "executor='process'" in refused
    job = await handle.get()
    assert (job.progress, job.progress_message, job.notes) == (1, "500 of 500", {"number": 500})
