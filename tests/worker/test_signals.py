"""What a signal does to programs that run daemons: several at once, and while they start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cuckmq import Context
from tests.support.eventually import eventually, eventually_sync

HEAD = """
import asyncio, os, sys
from contextlib import asynccontextmanager
from pathlib import Path
from cuckmq import Context, Orchestrator, Worker

folder = Path(sys.argv[1])

@asynccontextmanager
async def state():
    (folder / "starting").touch()
    while (folder / "hold").exists():
        await asyncio.sleep(0.01)
    yield None

def say(word):
    (folder / word).touch()

context = Context(os.environ["DSN"], schema=os.environ["SCHEMA"], worker_state=state)

@context.job(name="HOLD")
async def hold() -> None:
    say("begun")
    while not (folder / "enough").exists():
        await asyncio.sleep(0.01)
    say("finished")
"""

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, context: Context, dsn: str, schema: str) -> Iterator[Start]:
    """Run a program that ends with these lines, in a folder of its own."""
    processes: list[subprocess.Popen[str]] = []

    def run(lines: str) -> subprocess.Popen[str]:
        program = tmp_path / "program.py"
        program.write_text(HEAD + lines)
        processes.append(
            subprocess.Popen(
                [sys.executable, "-W", "error", str(program), str(tmp_path)],
                env={**os.environ, "DSN": dsn, "SCHEMA": schema},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def end_of(process: subprocess.Popen[str]) -> tuple[int, bool]:
    """Wait for the exit code, and whether there was a traceback."""
    _, said = process.communicate(timeout=40)
    return process.returncode, "Traceback" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_several_that_run_side_by_side_all_end(
    start: Start, tmp_path: Path, context: Context, number: signal.Signals
) -> None:
    """E33: each finishes what it has, and the program goes on behind them."""
    process = start("""
async def main():
    await context.deploy()
    await hold.enqueue()
    daemons = Worker(context, name="a"), Worker(context, name="b"), Orchestrator(context)
    await asyncio.gather(*(each.run() for each in daemons))
    say("after")
    await context.close()

asyncio.run(main())
""")
    await eventually((tmp_path / "begun").exists, timeout_secs=30)

    async def both_live() -> bool:
        return len(await context.workers.list()) == 2

    await eventually(both_live, timeout_secs=30)
    process.send_signal(number)
    (tmp_path / "enough").touch()
    assert end_of(process) == (0, False)
    assert (tmp_path / "finished").exists()
    assert (tmp_path / "after").exists()
    assert await context.workers.list() == []


def test_blocks_side_by_side_each_end(start: Start, tmp_path: Path) -> None:
    process = start("""
async def block(name):
    async with Worker(context, name=name):
        say(f"in-{name}")
        await asyncio.Event().wait()
    say(f"behind-{name}")

async def main():
    await context.deploy()
    await asyncio.gather(block("a"), block("b"))
    await context.close()

asyncio.run(main())
""")
    for name in ("in-a", "in-b"):
        eventually_sync((tmp_path / name).exists, timeout_secs=30)
    process.send_signal(signal.SIGTERM)
    assert end_of(process) == (0, False)
    assert (tmp_path / "behind-a").exists()
    assert (tmp_path / "behind-b").exists()


RUN = """
async def main():
    await context.deploy()
    await Worker(context).run()
    say("after")
    await context.close()

asyncio.run(main())
"""


def test_one_that_comes_during_the_start_is_not_lost(start: Start, tmp_path: Path) -> None:
    """The start is finished, and then the end begins: what was set up is torn down."""
    (tmp_path / "hold").touch()
    process = start(RUN)
    eventually_sync((tmp_path / "starting").exists, timeout_secs=30)
    process.send_signal(signal.SIGTERM)
    (tmp_path / "hold").unlink()
    assert end_of(process) == (0, False)
    assert (tmp_path / "after").exists()


def test_a_second_one_breaks_a_start_off(start: Start, tmp_path: Path) -> None:
    (tmp_path / "hold").touch()
    process = start(RUN)
    eventually_sync((tmp_path / "starting").exists, timeout_secs=30)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert end_of(process) == (0, False)
    assert (tmp_path / "after").exists()


def test_a_block_whose_start_was_signalled_ends_as_it_begins(start: Start, tmp_path: Path) -> None:
    (tmp_path / "hold").touch()
    process = start("""
async def main():
    await context.deploy()
    async with Worker(context):
        await asyncio.Event().wait()
    say("behind")
    await context.close()

asyncio.run(main())
""")
    eventually_sync((tmp_path / "starting").exists, timeout_secs=30)
    process.send_signal(signal.SIGTERM)
    (tmp_path / "hold").unlink()
    assert end_of(process) == (0, False)
    assert (tmp_path / "behind").exists()
