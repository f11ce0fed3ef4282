"""`cuckmq worker --processes N`: keep so many worker processes at work.

Each is a `cuckmq worker` of its own: Python started anew, never a fork, so that it holds no connection, lock
or thread of another. The supervisor imports no app and opens no connection; it starts, watches and ends
processes.

The first worker goes ahead, and the others follow when it is ready: so what stands in the way of all is said
once. One that cannot begin the first time ends the whole, with its exit code. One that dies later is
replaced: soon the first time, and the later the more often it dies, since a database that is away or a job
that kills its process are not helped by haste.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Final

from cuckmq.cli.leash import LeashHolder
from cuckmq.cli.logs import logger
from cuckmq.pause import pause

MIN_PAUSE_SECS: Final = 0.5
MAX_PAUSE_SECS: Final = 30.0
STEADY_SECS: Final = 60.0
"""Who has worked for so long is not blamed for earlier deaths."""


class Post:
    """One worker that is to be there, whichever process it is at the moment.

    Args:
        name: of the worker.
        arguments: of its command, with its name.
    """

    def __init__(self, name: str, arguments: list[str]) -> None:
        self._name = name
        self._arguments = arguments
        self._leash: LeashHolder | None = None
        self._stopping = asyncio.Event()
        self._num_signals = 0
        self._num_deaths = 0
        self.is_manned = asyncio.Event()

    def ask(self, num_signals: int) -> None:
        """Ask for what so many signals ask for, of the process that is there and of one that begins."""
        self._num_signals = num_signals
        self._stopping.set()
        if self._leash is not None:
            self._leash.ask(num_signals)

    async def keep(self) -> int:
        """Keep a process at work. Returns an exit code: of one told to end, or one that could not begin."""
        while not self._stopping.is_set():
            began_at = time.monotonic()
            try:
                process, is_ready = await self._work()
            except OSError as error:  # no memory, no process left
                if not self.is_manned.is_set():
                    logger.error("worker %s cannot be started: %s", self._name, error)
                    return 1
                await self._pause(f"cannot be started: {error}", 0.0)
                continue
            code = process.returncode or 0
            if self._stopping.is_set():
                return 0 if not is_ready and code in (-signal.SIGTERM, -signal.SIGINT) else _exit_code(code)
            if code > 0 and not self.is_manned.is_set():
                return code
            await self._pause(f"pid {process.pid}, {_how_it_ended(code)}", time.monotonic() - began_at)
        return 0

    async def _work(self) -> tuple[asyncio.subprocess.Process, bool]:
        """Have a process work until it ends. Tells whether it has ever been ready."""
        leash = LeashHolder()
        try:
            # In a group of its own, so that Ctrl-C in the terminal reaches the supervisor alone.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cuckmq", "worker", *self._arguments, "--leash", str(leash.number),
                stdin=asyncio.subprocess.DEVNULL, pass_fds=[leash.number], process_group=0,
            )  # fmt: skip
            leash.hand_down()
            self._leash = leash
            if self._stopping.is_set():
                leash.ask(self._num_signals)
            await leash.heard.wait()
            if leash.is_ready:
                self.is_manned.set()
            await process.wait()
            return process, leash.is_ready
        finally:
            self._leash = None
            leash.drop()

    async def _pause(self, news: str, lived_secs: float) -> None:
        self._num_deaths = 1 if lived_secs >= STEADY_SECS else self._num_deaths + 1
        pause_secs = min(MIN_PAUSE_SECS * 2 ** (self._num_deaths - 1), MAX_PAUSE_SECS)
        logger.warning("worker %s, %s; another takes its place in %g s", self._name, news, pause_secs)
        await pause(self._stopping, pause_secs)


class Supervisor:
    """Keeps posts manned until a signal comes, or one cannot be manned at all.

    Args:
        num_processes: how many.
        name: of the workers; each has its number behind it.
        arguments: of `cuckmq worker`, without a name.
    """

    def __init__(self, num_processes: int, name: str, arguments: list[str]) -> None:
        names = [f"{name}-{number}" for number in range(1, num_processes + 1)]
        self._posts = [Post(each, [*arguments, "--name", each]) for each in names]
        self._num_signals = 0

    async def run(self) -> int:
        """Work until the end, and return the exit code: 0 when it was told to end and all ended well."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._on_signal)
        first, *others = self._posts
        keeping = [asyncio.create_task(first.keep())]
        ready = asyncio.create_task(first.is_manned.wait())
        await asyncio.wait([*keeping, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if first.is_manned.is_set():
            keeping += [asyncio.create_task(post.keep()) for post in others]
            noun = "worker" if len(self._posts) == 1 else "workers"
            logger.info("the supervisor keeps %s %s, pid %s", len(self._posts), noun, os.getpid())
        await asyncio.wait(keeping, return_when=asyncio.FIRST_COMPLETED)
        self._ask(max(self._num_signals, 1))
        codes = await asyncio.gather(*keeping)
        logger.info("all workers have ended")
        return next((code for code in codes if code), 0)

    def _on_signal(self) -> None:
        self._num_signals += 1
        if self._num_signals == 1:
            logger.info("stopping all workers; a second signal has them let go of what they have in hand")
        self._ask(min(self._num_signals, 2))

    def _ask(self, num_signals: int) -> None:
        for post in self._posts:
            post.ask(num_signals)


def _exit_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
