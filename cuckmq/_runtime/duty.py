"""A duty: one thing that a daemon does over and over, and how it goes on whatever happens.

Every duty has the same silhouette: it is made with what it needs, and has one verb, `turn`, which
does its work once and tells in how many seconds it is due again. The loop is here, once: it catches
what a turn raises, logs it, waits a little longer each time, and tries again. A turn whose statement gets no
answer is one of those: a fuse (see database/fuse.py) stands for all that a duty asks, so none hangs for ever.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final, Protocol

import psycopg
from psycopg_pool import PoolTimeout

from cuckmq.database.fuse import FIRST_SECS, Fuse
from cuckmq.errors import CuckmqError
from cuckmq.log import get_log
from cuckmq.pause import pause

_logger = get_log("cuckmq.duty")

MAX_PAUSE_SECS: Final = 30.0


class Duty(Protocol):
    """One thing to be done over and over."""

    name: str

    async def turn(self) -> float:
        """Do it once. Returns the seconds until it is due again."""
        ...

    def trouble(self) -> None:
        """A turn has failed: what was believed about the database may no longer hold."""
        ...


class DutyLoop:
    """Runs a duty in a task of its own.

    Args:
        duty: to be done.
        limit_secs: how long a statement of its turn may go without an answer at first.
    """

    def __init__(self, duty: Duty, *, limit_secs: float = FIRST_SECS) -> None:
        self._duty = duty
        self._fuse = Fuse(limit_secs)
        self._is_due = asyncio.Event()
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._is_stopping = False
        name = f"cuckmq-{self._duty.name}"
        self._task = asyncio.get_running_loop().create_task(self._loop(), name=name)

    def hasten(self) -> None:
        """Have the next turn at once."""
        self._is_due.set()

    async def stop(self) -> None:
        """End. A turn that is under way is broken off; of its statement nobody learns what became of it."""
        # The flag as well as the cancellation: in Python 3.11 asyncio.wait_for, which the driver uses, loses
        # a cancellation that comes in the very moment when what it waits for is done.
        self._is_stopping = True
        task, self._task = self._task, None
        if task is not None:
            await self._fuse.end(task)

    async def _loop(self) -> None:
        num_failures = 0
        while not self._is_stopping:
            try:
                with self._fuse.stand():
                    pause_secs = await self._duty.turn()
                num_failures = 0
            except Exception as error:
                if self._is_stopping:
                    return
                num_failures += 1
                known = isinstance(error, (psycopg.Error, PoolTimeout, OSError, CuckmqError))
                _logger.warning("%s failed, trying again: %s", self._duty.name, error, exc_info=not known)
                self._duty.trouble()
                pause_secs = min(0.25 * 2**num_failures, MAX_PAUSE_SECS)
            if self._is_stopping:
                return
            self._is_due.clear()
            await pause(self._is_due, pause_secs * random.uniform(0.9, 1.0))  # noqa: S311 - jitter
