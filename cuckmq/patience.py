"""How long a producer waits for room in a channel of bounded size, and how often it asks."""

from __future__ import annotations

import random
import time
from typing import Final

from cuckmq.errors import ChannelFull

FIRST_PAUSE_SECS: Final = 0.01
MAX_PAUSE_SECS: Final = 0.5


class Patience:
    """Begins when it is made.

    Nobody is told when room comes free: workers would have to tell it with each claim. Who waits asks again,
    soon at first and then less and less often.

    Args:
        channel: for the message.
        wait_secs: how long to wait; 0 for not at all.
    """

    def __init__(self, channel: str, wait_secs: float) -> None:
        self._channel = channel
        self._wait_secs = wait_secs
        self._end_at = time.monotonic() + wait_secs
        self._pause_secs = FIRST_PAUSE_SECS

    def next_pause_secs(self) -> float:
        """Tell how long to wait before the next asking.

        Raises:
            ChannelFull: the time is up.
        """
        left_secs = self._end_at - time.monotonic()
        if left_secs <= 0:
            waited = f" after {self._wait_secs:g} s" if self._wait_secs else ""
            raise ChannelFull(
                f"the channel {self._channel!r} is full{waited}: nothing was put in. Try again when workers "
                "have taken some, wait longer (wait_secs), or give the channel more room (max_size)"
            )
        pause_secs = self._pause_secs * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._pause_secs = min(2 * self._pause_secs, MAX_PAUSE_SECS)
        return min(pause_secs, left_secs)
