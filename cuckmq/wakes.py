"""Wake workers when something is put in: those of this process directly, others by notification.

Commits that notify queue up for a lock that the whole server shares, so a producer in full flow must
not send one with every job. It sends the first, and then none for a few milliseconds: the workers
that the first one woke look again within milliseconds by themselves, and find what the others would
have told of.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

NOTICE_PAUSE_SECS: Final = 0.005


class Wakes:
    """Knows who is to be woken, and when the last notification went out. May be used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noticed_at: dict[str, float] = {}
        self._sleepers: list[tuple[asyncio.AbstractEventLoop, Callable[[str], None]]] = []

    def is_notice_due(self, channel: str) -> bool:
        """Tell whether this enqueue must notify; if so it is taken as having done it."""
        now = time.monotonic()
        with self._lock:
            is_due = now - self._noticed_at.get(channel, 0.0) >= NOTICE_PAUSE_SECS
            if is_due:
                self._noticed_at[channel] = now
        return is_due

    def wake(self, channel: str) -> None:
        """Wake the workers of this process that serve the channel: something was committed for them."""
        with self._lock:
            sleepers = tuple(self._sleepers)
        for loop, sleeper in sleepers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(sleeper, channel)

    def subscribe(self, sleeper: Callable[[str], None]) -> Callable[[], None]:
        """Have a function of the running loop told of channels with new jobs. Returns the way out."""
        entry = (asyncio.get_running_loop(), sleeper)
        with self._lock:
            self._sleepers.append(entry)

        def unsubscribe() -> None:
            with self._lock:
                if entry in self._sleepers:
                    self._sleepers.remove(entry)

        return unsubscribe
