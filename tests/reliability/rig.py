"""Worker processes to be killed, and the log they leave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cuckmq import Context
from tests.reliability.program import define

PROGRAM = Path(__file__).with_name("program.py")


class Entry(NamedTuple):
    """A line of the log."""

    word: str
    job_id: int
    attempt: int
    group: str
    pid: int
    at: float


class Log:
    """What worker processes wrote down, outside the database."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self, word: str | None = None, job_id: int | None = None) -> list[Entry]:
        """Read the log; a torn last line is left out."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().split("\n")[:-1]
        found = []
        for line in lines:
            kind, job, attempt, group, pid, at = line.split(" ")
            found.append(Entry(kind, int(job), int(attempt), group, int(pid), float(at)))
        return [entry for entry in found if word in (None, entry.word) and job_id in (None, entry.job_id)]


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, worker_id: int) -> None:
        self.process = process
        self.worker_id = worker_id
        self.pid = process.pid

    def send(self, signal_number: signal.Signals) -> None:
        """Send the process a signal."""
        os.kill(self.pid, signal_number)

    async def wait(self, timeout_secs: float = 20) -> int:
        """Wait for its end; the exit code."""
        return await asyncio.wait_for(self.process.wait(), timeout_secs)

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None


class Rig:
    """Starts worker processes, and ends what is left of them."""

    def __init__(self, dsn: str, schema: str, folder: Path) -> None:
        self.dsn = dsn
        self.schema = schema
        self.log = Log(folder / "executions.log")
        self._started: list[WorkerProcess] = []

    async def start(
        self, *, dsn: str | None = None, inside: Sequence[str] = (), **options: Any
    ) -> WorkerProcess:
        """Start a worker with these options, through a command if one is given; wait until it is ready."""
        process = await asyncio.create_subprocess_exec(
            *inside,
            sys.executable,
            str(PROGRAM),
            dsn or self.dsn,
            self.schema,
            str(self.log.path),
            json.dumps(options),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])},
        )
        worker = WorkerProcess(process, 0)
        self._started.append(worker)
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line.startswith(b"ready "), line
        worker.worker_id = int(line.split()[1])
        return worker

    async def close(self) -> None:
        """Kill whatever still runs."""
        for worker in self._started:
            if worker.is_alive:
                worker.send(signal.SIGKILL)
                await worker.wait()
            # Without this the pipe's transport is closed by the garbage collector, with a warning.
            worker.process._transport.close()  # type: ignore[attr-defined]


@asynccontextmanager
async def rig_for(dsn: str, schema: str, folder: Path) -> AsyncGenerator[tuple[Rig, Context]]:
    """A rig on a migrated schema, and a context that knows the program's jobs."""
    rig = Rig(dsn, schema, folder)
    async with Context(dsn, schema=schema) as context:
        define(context, lambda *_: None)
        await context.migrate()
        await context.deploy()
        try:
            yield rig, context
        finally:
            await rig.close()
