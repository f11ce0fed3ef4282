"""How much to ask for on behalf of those who pull jobs: as many as they wait for, and none ahead."""

from __future__ import annotations

from cuckmq._runtime.appetite import Appetite
from cuckmq._runtime.desk import Desk


class HandAppetite(Appetite):
    """Counts who waits at the desk.

    Args:
        desk: where they wait.
        concurrency: how many jobs may be in hand at once.
    """

    def __init__(self, desk: Desk, concurrency: int) -> None:
        super().__init__(concurrency)
        self._desk = desk

    @property
    def target(self) -> int:
        """How many jobs to have in hand."""
        num_waiting = self._desk.num_idle_lanes - self._desk.num_slices
        return min(self._desk.num_unfinished + num_waiting, self._num_lanes)

    @property
    def is_over(self) -> bool:
        """Whether more lies there than is waited for: somebody has given up meanwhile."""
        return self._desk.num_slices > self._desk.num_idle_lanes

    @property
    def slice(self) -> int:
        """How many jobs of one group to take at once: each is one person's."""
        return 1
