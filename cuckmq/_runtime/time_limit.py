"""Holds work functions to their execution_timeout_secs.

What runs on the event loop is cancelled at its time, and the attempt ends when the function has let go.
One that swallows the cancellation ends as timed out all the same, whatever it returns then: it was told.

A thread cannot be cancelled. At its time the function is told through `attempt.is_cancelled`, and the
attempt ends at once as timed out, though the thread works on. Three things must not follow from that:

- The lane must not go on to other jobs, or the worker would come to run more threads than it may: it
  waits until the thread is back, and the worker claims for one lane less. This also keeps the job's
  group: the group is released when the slice is done, so no job of it runs beside the straggler. The
  job itself may run again, here or elsewhere, while its former thread still works, unless it is grouped.
- Nothing may be settled while a transaction of the attempt is open, since its commit and the settlement
  are one step: then the end waits for the thread. One that is not open by now is refused.
- A worker that stops does not wait: the thread is left behind, as any that does not stop when told.

Time counts from the call of the function. Only limited jobs come here; no other job pays for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from cuckmq._runtime.desk import Desk
from cuckmq.attempt import Attempt
from cuckmq.errors import ExecutionTimeout
from cuckmq.log import get_log

_logger = get_log("cuckmq.worker")

TIMED_OUT = "timeout"


class TimeLimit:
    """Runs the work functions of limited jobs.

    Args:
        desk: knows what runs, and how many lanes are held up.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._stragglers: dict[Attempt, asyncio.Future[Any]] = {}

    async def on_loop(self, attempt: Attempt, secs: float, call: Awaitable[Any]) -> Any:
        """Await a work function, and cancel it at its time.

        Raises:
            ExecutionTimeout: its time was up; raised when it has ended.
        """
        running = self._desk.running[attempt]
        timer = asyncio.get_running_loop().call_later(secs, self._desk.stop, running, TIMED_OUT)
        try:
            value = await call
        except BaseException as error:
            if attempt.ending == TIMED_OUT:
                raise _timeout(secs) from error
            raise
        finally:
            timer.cancel()
        if attempt.ending == TIMED_OUT:
            raise _timeout(secs)
        return value

    async def in_thread(self, attempt: Attempt, secs: float, thread: asyncio.Future[Any]) -> Any:
        """Await a work function that runs in a thread, and tell it when its time is up.

        Raises:
            ExecutionTimeout: its time was up. The thread may still work; see see_off().
        """
        try:
            await asyncio.wait([thread], timeout=secs)
            if not thread.done():
                self._desk.stop(self._desk.running[attempt], TIMED_OUT)
            if attempt.ending != TIMED_OUT or attempt.has_transaction:
                await asyncio.wait([thread])
        except asyncio.CancelledError:
            thread.cancel()
            raise
        if attempt.ending != TIMED_OUT:
            return thread.result()
        self._stragglers[attempt] = thread
        raise _timeout(secs)

    async def see_off(self, attempt: Attempt) -> None:
        """Wait until the thread of an attempt that has timed out is back."""
        thread = self._stragglers.pop(attempt, None)
        if thread is None:
            return
        if not thread.done():
            await self._wait_for(thread, attempt)
        if not thread.cancelled():
            thread.exception()  # nobody else will ask, and asyncio would complain

    async def _wait_for(self, thread: asyncio.Future[Any], attempt: Attempt) -> None:
        began_at = time.monotonic()
        _logger.warning(
            "job %s (%s) attempt %s has timed out, and its thread works on; its lane takes no other job until"
            " then: look at attempt.is_cancelled now and then",
            attempt.job_id, attempt.name, attempt.number,
        )  # fmt: skip
        self._desk.hold_up(1)
        try:
            await asyncio.wait([thread])
        finally:
            self._desk.hold_up(-1)
            thread.cancel()
        _logger.info(
            "the thread of job %s (%s) attempt %s is back after %.1f s more",
            attempt.job_id, attempt.name, attempt.number, time.monotonic() - began_at,
        )  # fmt: skip


def _timeout(secs: float) -> ExecutionTimeout:
    return ExecutionTimeout(f"it ran longer than its execution_timeout_secs of {secs:g}")
