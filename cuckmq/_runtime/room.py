"""How much room a worker has: its appetite, less what it has in hand already."""

from __future__ import annotations

from cuckmq._runtime.appetite import Appetite
from cuckmq._runtime.desk import Desk


class Room:
    """Reckons how many jobs are to be asked for.

    Args:
        desk: what is in hand.
        appetite: how many there may be; told of lanes that can take none.
    """

    def __init__(self, desk: Desk, appetite: Appetite) -> None:
        self._desk = desk
        self._appetite = appetite

    def num_wanted(self) -> int:
        """How many jobs to ask for; 0 while the lanes have enough, or must not get more."""
        if self._desk.has_suspect and not self._desk.num_away:
            return 0
        num_not_counted = self._desk.num_away + self._count_persistent()
        target, in_hand = self._appetite.target, max(self._desk.num_unfinished - num_not_counted, 0)
        wanted = min(target - in_hand, self._appetite.max_limit)
        is_starving = self._desk.num_idle_lanes > 0 and self._desk.num_slices == 0
        return wanted if wanted > 0 and (is_starving or wanted * 4 >= target) else 0

    def is_gone(self) -> bool:
        """Whether nobody is left to take what was claimed: it would wait for ever."""
        self._count_persistent()
        return self._desk.num_slices > 0 and self._appetite.is_over

    def _count_persistent(self) -> int:
        """Tell how many lanes persistent jobs hold, and the appetite as well; one that is away none."""
        count = max(self._desk.num_persistent - self._desk.num_away, 0)
        self._appetite.num_held_lanes = self._desk.num_held_lanes + count
        return count
