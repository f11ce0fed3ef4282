"""Run `cuckmq` as people do: in a process, in a folder with an app."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cuckmq import Context
from tests.support.eventually import eventually_sync

APP = """
import asyncio
import os
from pathlib import Path
from cuckmq import Context

context = Context(os.environ["CUCKMQ_DATABASE_URL"], schema=os.environ["TEST_SCHEMA"])
other = Context(os.environ["CUCKMQ_DATABASE_URL"], schema="other")

@context.job(name="TOUCH")
async def touch(path: str) -> None:
    Path(path).touch()

@context.job(name="HOLD", channel="slow")
async def hold(path: str) -> None:
    Path(path + ".begun").touch()
    while not Path(path).exists():
        await asyncio.sleep(0.01)

@context.job(name="TICK", channel="slow", repeat_secs=0.2)
async def tick() -> None:
    pass
"""


class Command:
    """A `cuckmq` that runs, and what it says."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, env: dict[str, str]) -> None:
        self.stdout_path, self.stderr_path = folder / "stdout", folder / "stderr"
        with self.stdout_path.open("wb") as stdout, self.stderr_path.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cuckmq", *arguments],
                cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            )  # fmt: skip

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text("utf-8")

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text("utf-8")

    def says(self, text: str, *, timeout_secs: float = 20) -> None:
        """Wait until it has said something."""

        def said() -> bool:
            assert text in self.stdout + self.stderr
            return True

        eventually_sync(said, timeout_secs=timeout_secs, why=f"says {text!r}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_secs: float = 60) -> int:
        """Wait for the exit code."""
        return self.process.wait(timeout_secs)


RunCommand = Callable[..., Command]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def run(folder: Path, dsn: str, schema: str) -> Iterator[RunCommand]:
    """Start `cuckmq` with arguments; `database=None` for an environment that names none."""
    commands: list[Command] = []

    def start(*arguments: str, database: str | None = dsn, **variables: str) -> Command:
        env = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CUCKMQ_APP"}
        }
        env.pop("CUCKMQ_DATABASE_URL", None)
        if database is not None:
            env["CUCKMQ_DATABASE_URL"] = database
        env |= {"TEST_SCHEMA": schema, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error", **variables}
        commands.append(Command(arguments, folder, env))
        return commands[-1]

    yield start
    for command in commands:
        if command.process.poll() is None:
            command.process.kill()
            command.process.wait()


@pytest.fixture
async def app(
    folder: Path, context: Context, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """The app's module in this process, its definitions deployed."""
    monkeypatch.setenv("CUCKMQ_DATABASE_URL", dsn)
    monkeypatch.setenv("TEST_SCHEMA", schema)
    spec = importlib.util.spec_from_file_location("app_under_test", folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    async with module.context:
        await module.context.deploy()
        yield module
