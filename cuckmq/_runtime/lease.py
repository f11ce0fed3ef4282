"""The lease, as this side sees it: a clock that no network can stop.

The heart sends its beats through the network, and may be stuck there for as long as TCP believes in an
answer, which is longer than the lease lasts. So its time is told by somebody else: a thread that reads the
clock and nothing more. When no beat got through for so long that the queue may give this worker's jobs away,
it says so, once for each worker id, and whatever the heart is doing at that moment.

Was the whole process frozen (SIGSTOP, a laptop that slept), then this thread wakes long after its time, and
the heart with it. It gets a moment to ask: perhaps nobody was there to take the jobs. Nothing new is begun
meanwhile, since the lease is not sure.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

MARGIN_SECS: Final = 1.0
"""How much sooner this side gives up than the queue does."""


class Lease:
    """Counts the time since the last beat that got through.

    Args:
        lease_secs: how long the queue waits for a beat.
        on_over: called in this clock's thread, when the lease may have run out.
    """

    def __init__(self, lease_secs: float, on_over: Callable[[], None]) -> None:
        self._patience_secs = max(lease_secs - MARGIN_SECS, lease_secs / 2)
        self._on_over = on_over
        self._renewed_at = time.monotonic()
        self._is_counting = False
        self._is_stopping = False
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def is_sure(self) -> bool:
        """Whether the lease still holds for sure. Asked before each job."""
        return self._left_secs() >= 0

    def begin(self) -> None:
        """Count for a worker that was registered just now."""
        self.renew(time.monotonic())
        self._is_counting = True
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="cuckmq-lease", daemon=True)
            self._thread.start()
        self._changed.set()

    def renew(self, at: float) -> None:
        """A beat got through that was sent at this monotonic time."""
        self._renewed_at = at

    def end(self) -> None:
        """There is no worker any more, until the next one begins."""
        self._is_counting = False

    def stop(self) -> None:
        """Stop the clock for good."""
        self._is_stopping = True
        self._changed.set()

    def _left_secs(self) -> float:
        return self._renewed_at + self._patience_secs - time.monotonic()

    def _watch(self) -> None:
        while not self._is_stopping:
            left_secs = self._left_secs()
            if self._is_counting and left_secs < -MARGIN_SECS:
                self._changed.wait(MARGIN_SECS)
                left_secs = self._left_secs()
            if self._is_counting and left_secs < 0:
                self._is_counting = False
                self._on_over()
            self._changed.wait(left_secs if self._is_counting else None)
            self._changed.clear()
