"""The worker processes: started afresh, not forked, and never left behind."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

START_SECS: Final = 30.0
STOP_SECS: Final = 15.0


class Hand:
    """One worker process.

    Args:
        name: for people.
        process: it.
        worker_id: under which the queue knows it.

    Attributes:
        died_at: when it was certainly gone, on the monotonic clock, if it was killed.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, worker_id: int) -> None:
        self.name = name
        self.process = process
        self.worker_id = worker_id
        self.died_at: float | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def kill(self) -> None:
        """Kill it as a power cut would: with SIGKILL, which it cannot hear."""
        self.process.kill()
        await self.process.wait()
        self.died_at = time.monotonic()

    async def dismiss(self) -> int | None:
        """Have it finish and end. Returns its exit code; None if it did not end in time."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.process.wait(), STOP_SECS)
        except TimeoutError:
            return None


class Crew:
    """All of them; whatever happens in the block, none of them outlives it.

    Args:
        dsn: where the queue is.
        schema: which one.
        journal: where they write down what they run.
        log: where what they have to say goes.
    """

    def __init__(self, *, dsn: str, schema: str, journal: Path, log: IO[bytes]) -> None:
        self._orders = {"dsn": dsn, "schema": schema, "journal": str(journal)}
        self._log = log
        self._processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.kill()
        for process in self._processes:
            await process.wait()

    async def hire(self, name: str) -> Hand:
        """Start a process and wait until it works.

        Raises:
            RuntimeError: it did not start.
        """
        # In a session of its own, so that Ctrl-C in the terminal reaches only the demo.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cuckmq.cli.demo.hand",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip
        self._processes.append(process)
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a worker process has no pipes")
        process.stdin.write(json.dumps({**self._orders, "name": name}).encode() + b"\n")
        answer = await asyncio.wait_for(process.stdout.readline(), START_SECS)
        if not answer:
            raise RuntimeError(f"worker process {name} ended before it was ready")
        return Hand(name, process, json.loads(answer)["worker_id"])
