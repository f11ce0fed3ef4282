"""A worker's ear: what it is told without having asked, by hints and in answer to its beats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec

from cuckmq._runtime.company import Company
from cuckmq._runtime.desk import Desk
from cuckmq._runtime.dispatcher import Dispatcher
from cuckmq._runtime.running import Running
from cuckmq.database.listen import Hint
from cuckmq.log import get_log
from cuckmq.protocol.workers import Pulse

_logger = get_log("cuckmq.worker")

P = ParamSpec("P")


class Ear:
    """Hears, and has the right part act.

    Args:
        desk: what is in hand.
        dispatcher: looks for jobs, and learns that its worker was lost.
        company: hears with each beat who else lives.
        beat_now: has the heart beat at once.

    Attributes:
        loop: the worker's event loop, once it has started.
        on_destroyed: called when a channel was destroyed, whosever it is.
    """

    def __init__(
        self, desk: Desk, dispatcher: Dispatcher, company: Company, beat_now: Callable[[], None]
    ) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._company = company
        self._beat_now = beat_now
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_destroyed: Callable[[], None] = lambda: None

    def on_hint(self, hint: Hint) -> None:
        """A notification came: there may be a job, or one of ours is to be cancelled."""
        word, number = hint
        if word == "cancel":
            if any(attempt.job_id == number for attempt in self._desk.running):
                self._beat_now()
        elif word == "destroyed":
            self.on_destroyed()
        elif word == "connected":  # what was said before was not heard
            self._dispatcher.look_now()
            self.on_destroyed()
            if self._desk.running:
                self._beat_now()
        elif word == "ready" and self._dispatcher.serves(number):
            self._dispatcher.hint()

    def on_wake(self, channel: str) -> None:
        """This process has put a job in."""
        self._dispatcher.hint()

    def on_pulse(self, worker_id: int, pulse: Pulse, asked: dict[int, Running]) -> None:
        """A beat was answered."""
        if worker_id != self._dispatcher.worker_id:
            return
        if not pulse.is_alive:
            _logger.warning("worker %s was taken for dead; going on as a new one", worker_id)
            self._dispatcher.lose()
            return
        self._company.hear(pulse)
        for job_ids, ending in (
            (pulse.lost_job_ids, "lost"),
            (pulse.cancelled_job_ids, "cancelled"),
        ):
            for job_id in job_ids:
                if asked[job_id].attempt in self._desk.running:
                    self._desk.stop(asked[job_id], ending)

    def on_silence(self, worker_id: int) -> None:
        """No beat got through for so long that the lease may be over."""
        if worker_id == self._dispatcher.worker_id:
            self._dispatcher.lose(is_cut_off=True)

    def from_thread(self, function: Callable[P, None]) -> Callable[P, None]:
        """Have another thread, the heart's, call a function on the worker's event loop."""

        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            loop = self.loop
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(lambda: function(*args, **kwargs))

        return call
