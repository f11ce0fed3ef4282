"""Wait for jobs to end, from any process: one small query serves everyone who waits here.

Nobody is told when a job ends: a notification per settled job would make commits queue up for a lock
that the whole server shares. Instead, while someone waits, one question is asked for all of them
together: which of these ids have ended? It is asked often at first and less and less as the wait grows
(a tenth of the time waited so far, between 5 ms and half a second), so the answer is late by a tenth at most.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from cuckmq.database.database import Database
from cuckmq.database.fuse import Fuse
from cuckmq.log import get_log
from cuckmq.pause import pause
from cuckmq.protocol.inspect import Ending, find_endings

_logger = get_log("cuckmq.endings")

MIN_PAUSE_SECS: Final = 0.005
MAX_PAUSE_SECS: Final = 0.5
LOOK_SECS: Final = 1.0


class Endings:
    """Watches for the ends of jobs.

    Args:
        database: where the jobs are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiters: dict[int, set[asyncio.Future[Ending]]] = {}
        self._youngest_at = 0.0
        self._fuse = Fuse()
        self._task: asyncio.Task[None] | None = None
        self._kick = asyncio.Event()
        self._next_look: asyncio.Future[None] | None = None

    async def wait(self, job_id: int, limit_secs: float | None = None) -> Ending | None:
        """Wait until the job has ended, or is nowhere. Cancel it to stop waiting; the job goes on.

        Args:
            job_id: of the job.
            limit_secs: how long to wait; one look is made even if that is 0. None for no limit.

        Returns:
            How it ended; None when it had not within the limit.
        """
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not loop:
            # Tasks, futures and events belong to their loop, and stay behind with it.
            self._task, self._kick, self._waiters, self._next_look = None, asyncio.Event(), {}, None
        waiter: asyncio.Future[Ending] = loop.create_future()
        if self._next_look is None:
            self._next_look = loop.create_future()
        look = self._next_look
        self._waiters.setdefault(job_id, set()).add(waiter)
        self._youngest_at = time.monotonic()
        self._kick.set()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._watch(), name="cuckmq-endings")
        try:
            await asyncio.wait((waiter,), timeout=limit_secs)
            if not waiter.done():
                # The time may have been too short for a single look, and a job that ended long ago is
                # told of whatever the limit.
                await asyncio.wait((waiter, look), timeout=LOOK_SECS, return_when=asyncio.FIRST_COMPLETED)
            return waiter.result() if waiter.done() else None
        finally:
            waiters = self._waiters.get(job_id, set())
            waiters.discard(waiter)
            if not waiters:
                self._waiters.pop(job_id, None)

    async def _watch(self) -> None:
        while self._waiters:
            self._kick.clear()
            look, self._next_look = self._next_look, None
            try:
                with self._fuse.stand():
                    found = await self._database.run(find_endings(list(self._waiters)))
                for ending in found:
                    for waiter in self._waiters.pop(ending.job_id, set()):
                        if not waiter.done():
                            waiter.set_result(ending)
            except (psycopg.OperationalError, PoolTimeout) as error:
                _logger.warning("cannot look for ended jobs, trying again: %s", error)
                await asyncio.sleep(MAX_PAUSE_SECS)
            except Exception as error:  # noqa: BLE001 - it is told to those who wait
                for waiter in {each for some in self._waiters.values() for each in some}:
                    if not waiter.done():
                        waiter.set_exception(error)
                return
            finally:
                if look is not None and not look.done():
                    look.set_result(None)
            if self._waiters:
                waited_secs = time.monotonic() - self._youngest_at
                pause_secs = min(max(waited_secs / 10, MIN_PAUSE_SECS), MAX_PAUSE_SECS)
                await pause(self._kick, pause_secs)
                if self._kick.is_set():
                    await asyncio.sleep(MIN_PAUSE_SECS)


def wait_sync(database: Database, job_id: int, limit_secs: float | None) -> Ending | None:
    """Do what Endings.wait() does, for one thread that waits for one job."""
    began_at = time.monotonic()
    while True:
        found = database.run_sync(find_endings([job_id]))
        if found:
            return found[0]
        waited_secs = time.monotonic() - began_at
        if limit_secs is not None and waited_secs >= limit_secs:
            return None
        pause_secs = min(max(waited_secs / 10, MIN_PAUSE_SECS), MAX_PAUSE_SECS)
        time.sleep(pause_secs if limit_secs is None else min(pause_secs, limit_secs - waited_secs))
