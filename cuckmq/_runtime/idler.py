"""Notices that a worker has become idle, and tells it once.

A worker flickers: it is idle for a millisecond between two jobs. Told is only an idleness that has
lasted. Nothing is measured while nobody listens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from cuckmq.context import Context
from cuckmq.events import WorkerIdle


class Idler:
    """Is shown after each exchange whether something is in hand.

    Args:
        context: whose handlers to tell.
        name: of the worker.
        idle_secs: how long idleness must have lasted.
        worker_id: asked each time.
        is_idle: whether nothing is in hand, and the last look brought nothing.
        look: has the worker look at once, when the last look is too old to tell.
    """

    def __init__(
        self,
        context: Context,
        *,
        name: str,
        idle_secs: float,
        worker_id: Callable[[], int],
        is_idle: Callable[[], bool],
        look: Callable[[], None],
    ) -> None:
        self._context = context
        self._name = name
        self._idle_secs = idle_secs
        self._worker_id = worker_id
        self._is_idle = is_idle
        self._look = look
        self._is_told = False
        self._is_stopped = False
        self._clear_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def turned(self, *, is_clear: bool) -> None:
        """An exchange was made."""
        if not is_clear:
            self._clear_at, self._is_told = None, False
        elif not self._is_told and not self._is_stopped and self._context.events.is_heard:
            self._clear_at = self._clear_at or time.monotonic()
            if self._timer is None:
                self._set_timer(self._idle_secs)

    def stop(self) -> None:
        """Tell nothing more."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, secs: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(secs, self._due)

    def _due(self) -> None:
        self._timer = None
        if self._clear_at is None or self._is_told:
            return
        missing_secs = self._clear_at + self._idle_secs - time.monotonic()
        if missing_secs > 0:
            self._set_timer(missing_secs)
        elif self._is_idle():
            self._is_told = True
            self._context.events.tell(WorkerIdle(worker_id=self._worker_id(), name=self._name))
        else:
            self._look()
            self._set_timer(self._idle_secs)
