"""Who else is there: how the workers of a queue share what any of them can do.

Any worker can rescue, sweep, and look for what no hint told of, and one that is alone must. Fifty that all
did it as often as one would ask the database fifty times for what one answer serves. So each does it the more
rarely the more there are, and together they do it about as often as one alone. How many live, each hears with
every beat; and the beat tells as well when there is something to do at once. So if all but one die, the last
one does not sleep on: it hears of the dead with its next beat, and that it is alone.
"""

from __future__ import annotations

from collections.abc import Callable

from cuckmq.protocol.workers import Pulse


class Company:
    """The workers that live, as one of them last heard. Before that it takes itself to be alone.

    Attributes:
        on_rescue_due: called when a beat tells that a worker seems dead.
        on_sweep_due: called when a beat tells that jobs may have expired or wait for nobody.
    """

    def __init__(self) -> None:
        self._num_workers = 1
        self.on_rescue_due: Callable[[], None] = lambda: None
        self.on_sweep_due: Callable[[], None] = lambda: None

    def hear(self, pulse: Pulse) -> None:
        """Take in what a beat was answered."""
        self._num_workers = max(pulse.num_workers, 1)
        if pulse.is_rescue_due:
            self.on_rescue_due()
        if pulse.is_sweep_due:
            self.on_sweep_due()

    def share(self, pause_secs: float, *, at_most: float, num_eager: int = 1) -> float:
        """Say how long to pause, where one alone would pause so long.

        Args:
            pause_secs: of one alone.
            at_most: how many times that it may become.
            num_eager: for how many it does not become longer yet.
        """
        return pause_secs * min(max(self._num_workers / num_eager, 1.0), at_most)
