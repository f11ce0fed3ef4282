"""`cuckmq worker` and `cuckmq orchestrator`: life, signals, exit codes."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from cuckmq import JobState
from tests.cli.conftest import RunCommand
from tests.support.eventually import eventually
from tests.support.processes import family_of, ports_of


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_drains(
    run: RunCommand, app: Any, folder: Path, number: signal.Signals
) -> None:
    """E33: what is in hand is finished; nothing new is claimed; exit code 0."""
    command = run("worker", "app:context", "-q", "slow", "-c", "1", "--name", "w")
    command.says("worker w serves slow, 1 jobs at once")
    first = await app.hold.enqueue(str(folder / "first"))
    await eventually((folder / "first.begun").exists)
    second = await app.hold.enqueue(str(folder / "second"))
    command.signal(number)
    command.says("stopping: what is in hand is finished first")
    (folder / "first").touch()
    assert command.wait() == 0
    assert (await first.get()).state is JobState.SUCCEEDED
    assert (await second.get()).state is JobState.QUEUED
    assert command.stderr.endswith("cuckmq.cli: stopped\n")
    assert "Traceback" not in command.stderr


@pytest.mark.fault("A10")
async def test_the_second_signal_lets_go(run: RunCommand, app: Any, folder: Path) -> None:
    """E34: what is in hand goes back to the queue, and no try is counted."""
    command = run("worker", "app:context")
    command.says("serves all channels")
    handle = await app.hold.enqueue(str(folder / "never"))
    await eventually((folder / "never.begun").exists)
    command.signal(signal.SIGTERM)
    command.says("stopping")
    command.signal(signal.SIGTERM)
    assert command.wait() == 0
    command.says("letting go")
    job = await handle.get()
    assert job.state is JobState.QUEUED
    assert (job.error_count, job.stall_count) == (0, 0)


async def test_channels_select(run: RunCommand, app: Any, folder: Path) -> None:
    command = run("worker", "app:context", "--channel", "a", "--channel", "b")
    command.says("serves a, b")
    outside = await app.touch.enqueue(str(folder / "outside"))
    inside = [await app.touch.enqueue(str(folder / name), channel=name) for name in ("a", "b")]
    for handle in inside:
        await handle.result(timeout_secs=20)
    assert (await outside.get()).state is JobState.QUEUED


async def test_an_orchestrator_repeats_until_told_to_stop(run: RunCommand, app: Any) -> None:
    command = run("orchestrator", "app:context")
    command.says("orchestrator keeps schema")

    async def has_repeated() -> bool:
        return (await app.context.jobs.count())[JobState.QUEUED] >= 2

    await eventually(has_repeated)
    command.signal(signal.SIGTERM)
    assert command.wait() == 0


@pytest.mark.parametrize("daemon", ["worker", "orchestrator"])
def test_a_missing_schema_names_the_command_to_run(run: RunCommand, daemon: str, schema: str) -> None:
    """A3: it stops at once, with one line."""
    command = run(daemon, "app:context")
    assert command.wait() == 1
    assert command.stderr.startswith("cuckmq: ")
    assert f"run `cuckmq migrate --schema {schema}`" in command.stderr
    assert command.stderr.count("\n") == 1


@pytest.mark.parametrize("daemon", ["worker", "orchestrator"])
async def test_an_outdated_schema_names_the_command_to_run(
    run: RunCommand, app: Any, daemon: str, schema: str
) -> None:
    async with app.context.database.connection() as connection:
        await connection.execute(f"update \"{schema}\".schema_version set functions_fingerprint = 'old'")
    command = run(daemon, "app:context")
    assert command.wait() == 1
    assert f"run `cuckmq migrate --schema {schema}`" in command.stderr
    assert command.stderr.count("\n") == 1


@pytest.mark.parametrize("daemon", ["worker", "orchestrator"])
def test_a_database_that_cannot_be_reached_is_one_line(run: RunCommand, daemon: str) -> None:
    command = run(daemon, "app:context", database="host=127.0.0.1 port=1")
    assert command.wait() == 1
    assert command.stderr.startswith("cuckmq: cannot reach the database: ")
    assert command.stderr.count("\n") == 1


def test_an_option_out_of_range_is_one_line(run: RunCommand) -> None:
    command = run("worker", "app:context", "-c", "0")
    assert command.wait() == 1
    assert command.stderr.startswith("cuckmq: concurrency ")


def test_who_listens_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert server.getsockname()[1] in ports_of(os.getpid())


@pytest.mark.fault("I11")
@pytest.mark.parametrize("words", ["worker", "worker --processes 2", "orchestrator"])
async def test_a_daemon_listens_on_no_port(run: RunCommand, app: Any, folder: Path, words: str) -> None:
    command = run(*words.split(), "app:context")
    if words == "orchestrator":
        command.says("orchestrator keeps schema")
    else:
        await (await app.touch.enqueue(str(folder / "done"))).result(timeout_secs=20)
    pids = list(family_of(command.process.pid))
    assert len(pids) >= 3 or "--processes" not in words
    assert {port for pid in pids for port in ports_of(pid)} == set()
    command.signal(signal.SIGTERM)
    assert command.wait() == 0
