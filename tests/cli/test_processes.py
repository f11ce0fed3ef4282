"""`cuckmq worker --processes N`: life, deaths, signals, exit codes; on real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from cuckmq import Context, JobState
from tests.cli.conftest import RunCommand
from tests.support.eventually import eventually
from tests.support.processes import is_gone


async def pids(context: Context, num_workers: int) -> dict[str, int]:
    """Wait until so many workers live; their process ids by name."""

    async def found() -> dict[str, int] | None:
        workers = {each.name: each.pid for each in await context.workers.list()}
        return workers if len(workers) == num_workers else None

    return await eventually(found, timeout_secs=30)


async def test_each_process_is_a_worker_and_a_signal_ends_all(run: RunCommand, app: Any) -> None:
    """E33: they are told apart by number; each finishes what it has; exit code 0."""
    command = run("worker", "app:context", "-p", "2", "-c", "1", "--name", "w")
    command.says("the supervisor keeps 2 workers")
    found = await pids(app.context, 2)
    assert set(found) == {"w-1", "w-2"}
    assert len({*found.values(), command.process.pid}) == 3
    command.signal(signal.SIGTERM)
    assert command.wait() == 0
    assert all(is_gone(pid) for pid in found.values())
    assert await app.context.workers.list() == []
    assert "Traceback" not in command.stderr


async def test_one_signal_to_all_is_one_signal(run: RunCommand, app: Any, folder: Path) -> None:
    """A service manager signals every process of a service: the work in hand is finished all the same."""
    command = run("worker", "app:context", "-p", "2", "-c", "1", "--name", "w")
    command.says("the supervisor keeps 2 workers")
    found = await pids(app.context, 2)
    handles = [await app.hold.enqueue(str(folder / name)) for name in ("a", "b")]
    for name in ("a", "b"):
        await eventually((folder / f"{name}.begun").exists)
    for pid in [*found.values(), command.process.pid]:
        os.kill(pid, signal.SIGTERM)
    command.says("stopping all workers")
    await eventually(lambda: command.stderr.count("stopping: what is in hand is finished first") == 2)
    (folder / "a").touch()
    (folder / "b").touch()
    assert command.wait() == 0
    assert "letting go" not in command.stderr
    assert [(await each.get()).state for each in handles] == [JobState.SUCCEEDED] * 2


async def test_the_second_signal_has_all_let_go(run: RunCommand, app: Any, folder: Path) -> None:
    """E34: what is in hand goes back to the queue, and no try is counted."""
    command = run("worker", "app:context", "-p", "2", "-c", "1", "--name", "w")
    command.says("the supervisor keeps 2 workers")
    await pids(app.context, 2)
    handles = [await app.hold.enqueue(str(folder / name)) for name in ("a", "b")]
    for name in ("a", "b"):
        await eventually((folder / f"{name}.begun").exists)
    command.signal(signal.SIGTERM)
    await eventually(lambda: command.stderr.count("stopping: what is in hand is finished first") == 2)
    command.signal(signal.SIGTERM)
    assert command.wait() == 0
    for handle in handles:
        job = await handle.get()
        assert (job.state, job.error_count, job.stall_count) == (JobState.QUEUED, 0, 0)


async def test_a_process_that_is_killed_is_replaced_and_the_others_go_on(
    run: RunCommand, app: Any, folder: Path
) -> None:
    command = run("worker", "app:context", "-p", "2", "--name", "w")
    command.says("the supervisor keeps 2 workers")
    before = await pids(app.context, 2)
    os.kill(before["w-1"], signal.SIGKILL)
    command.says(f"worker w-1, pid {before['w-1']}, was killed by SIGKILL; another takes its place in 0.5 s")

    async def replaced() -> bool:
        workers = {each.name: each.pid for each in await app.context.workers.list()}
        return workers.get("w-1", before["w-1"]) != before["w-1"] and workers.get("w-2") == before["w-2"]

    await eventually(replaced, timeout_secs=30)
    command.signal(signal.SIGTERM)
    assert command.wait() == 0


async def test_a_worker_that_ends_by_itself_is_replaced(run: RunCommand, app: Any) -> None:
    command = run("worker", "app:context", "-p", "1", "--name", "w")
    command.says("the supervisor keeps 1 workers")
    before = await pids(app.context, 1)
    os.kill(before["w-1"], signal.SIGTERM)
    command.says(f"worker w-1, pid {before['w-1']}, ended with exit code 0; another takes its place")

    async def replaced() -> bool:
        return [each.pid for each in await app.context.workers.list()] not in ([], [before["w-1"]])

    await eventually(replaced, timeout_secs=30)
    command.signal(signal.SIGINT)
    assert command.wait() == 0


async def test_when_the_supervisor_is_killed_its_processes_end(run: RunCommand, app: Any) -> None:
    """Nothing is left behind: each finds its leash torn, finishes what it has, and takes leave."""
    command = run("worker", "app:context", "-p", "2", "--name", "w")
    command.says("the supervisor keeps 2 workers")
    found = await pids(app.context, 2)
    command.process.kill()
    assert command.wait() == -signal.SIGKILL
    await eventually(lambda: all(is_gone(pid) for pid in found.values()), timeout_secs=20)
    assert await app.context.workers.list() == []
    command.says("the supervisor is gone")


def test_what_stands_in_the_way_of_all_is_said_once_and_ends_the_whole(run: RunCommand, schema: str) -> None:
    command = run("worker", "app:context", "-p", "3")
    assert command.wait() == 1
    assert command.stderr.count(f"run `cuckmq migrate --schema {schema}`") == 1
    assert "takes its place" not in command.stderr


def test_an_app_that_is_not_there_keeps_its_exit_code(run: RunCommand) -> None:
    command = run("worker", "nowhere:context", "-p", "2")
    assert command.wait() == 2
    assert command.stderr.count("there is no module 'nowhere'") == 1


@pytest.mark.parametrize("number", ["-1", "two", "1001", "1.5", ""])
def test_a_number_that_is_none_is_one_line(run: RunCommand, number: str) -> None:
    command = run("worker", "app:context", f"--processes={number}")
    assert command.wait() == 2
    assert command.stderr.startswith("cuckmq: --processes is a number from 0 to 1000, or `auto`, not ")
    assert command.stderr.count("\n") == 1


async def test_as_many_as_there_are_cores(run: RunCommand, app: Any) -> None:
    command = run("worker", "app:context", "--processes", "auto", "--name", "w")
    num_cores = len(os.sched_getaffinity(0))
    command.says(f"the supervisor keeps {num_cores} workers")
    assert len(await pids(app.context, num_cores)) == num_cores
    command.signal(signal.SIGTERM)
    assert await asyncio.to_thread(command.wait) == 0
