"""The duty of the warden: kill processes that no longer answer.

A process beats by itself while Python runs in it. The warden counts its own looks since it last heard
anything, and reads no clock: a worker that was frozen, or whose event loop was blocked, has looked once in
that time and not a hundred times, and does not blame its processes for what it missed itself.
"""

from __future__ import annotations

import math
from typing import Final

from cuckmq._runtime.processes import Processes

MAX_LOOK_SECS: Final = 5.0
START_SECS: Final = 60.0


class Warden:
    """Looks at the processes that run a job.

    Args:
        processes: the pool.
        ping_secs: how long one may be silent. One that has not come up yet has a minute at least.
    """

    name = "warden"

    def __init__(self, processes: Processes, *, ping_secs: float) -> None:
        self._processes = processes
        self._ping_secs = ping_secs
        self._look_secs = min(ping_secs / 4, MAX_LOOK_SECS)

    async def turn(self) -> float:
        """Look once."""
        for child in list(self._processes.busy):
            child.num_silent_looks += 1
            patience_secs = self._ping_secs if child.has_spoken else max(self._ping_secs, START_SECS)
            if child.num_silent_looks > math.ceil(patience_secs / self._look_secs):
                child.kill(f"it gave no sign of life for child_ping_secs ({patience_secs:g})")
        return self._look_secs

    def trouble(self) -> None:
        """Nothing is believed from one look to the next."""
