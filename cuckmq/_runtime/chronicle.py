"""Tells of the life of a worker: that it started, paused, was lost, stopped; each thing once."""

from __future__ import annotations

from cuckmq.context import Context
from cuckmq.events import WorkerEvent, WorkerLost, WorkerPaused, WorkerResumed, WorkerStarted, WorkerStopped


class Chronicle:
    """Of one worker, which may have several incarnations, one after the other.

    Args:
        context: whose handlers to tell.
        name: of the worker.
    """

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._name = name
        self._worker_id = 0
        self._is_started = False
        self._is_paused = False

    def register(self, worker_id: int) -> None:
        """It has an id; before it is started, or because it goes on under another."""
        self._worker_id = worker_id
        if self._is_started:
            self._tell(WorkerStarted)

    def start(self, *, is_paused: bool) -> None:
        """It is at work, or would be, were it not paused."""
        self._is_started, self._is_paused = True, is_paused
        self._tell(WorkerStarted)

    def pause(self) -> None:
        """It claims no more."""
        if self._is_started and not self._is_paused:
            self._is_paused = True
            self._tell(WorkerPaused)

    def resume(self) -> None:
        """It claims again."""
        if self._is_started and self._is_paused:
            self._is_paused = False
            self._tell(WorkerResumed)

    def lose(self) -> None:
        """It was taken for dead, or may have been."""
        self._tell(WorkerLost)

    def stop(self) -> None:
        """It has ended."""
        if self._is_started:
            self._is_started = False
            self._tell(WorkerStopped)

    def _tell(self, kind: type[WorkerEvent]) -> None:
        self._context.events.tell(kind(worker_id=self._worker_id, name=self._name))
