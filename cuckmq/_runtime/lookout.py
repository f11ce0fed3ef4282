"""When a worker looks for jobs. Pure: it is told what was found, and tells when to look again.

Three things send a worker to the database: a hint that something was put in, the moment when the
next scheduled job comes due, and the clock. After anything happened it looks again within two
milliseconds, then after twice that, and so on up to its idle interval; so what a hint did not tell
(hints are sent sparingly, and can be lost) is found soon while things are going on, and within the idle
interval at worst.

A hint that finds the worker idle leads to a glance first: it takes one plain job, or nothing, sooner than a
look could, and a look follows at once. Other reasons to look now (a listener that is back, a worker that is
resumed) tell of nothing that was put in, and lead to a look. Where glances bring nothing, since other workers
are faster or what is put in is not plain, there are ever fewer of them.

A look starts at the low-water marks, where earlier claims have come to. Now and then, and whenever a
look brought less than was asked for, the next one starts from the beginning and finds what appeared
behind the marks: jobs whose commit came late, jobs that were put back.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from cuckmq.protocol.exchange import Row

MIN_PAUSE_SECS: Final = 0.002
SWEEP_SECS: Final = 0.1
SWEEP_SHARE: Final = 0.02
MAX_SWEEP_SECS: Final = 1.0
MAX_VAIN_GLANCES: Final = 6


def places(claimed: Iterable[Row]) -> Iterator[tuple[int, datetime]]:
    """Tell to where in its lanes a look has come: lane and place of all that stood there itself.

    Of a group's jobs that is the first, or rather its turn, which stood at its place or behind it. What
    was taken with it may have been put in long after the turns of others, and would mark a place beyond them.
    """
    group_hashes: set[int] = set()
    for row in claimed:
        if row.group_hash is not None:
            if row.group_hash in group_hashes:
                continue
            group_hashes.add(row.group_hash)
        yield row.lane_id, row.run_at


class Lookout:
    """Decides when to look and from where. All times are of one monotonic clock.

    Args:
        poll_secs: the idle interval; each pause is up to a third shorter, so that workers spread.

    Attributes:
        poll_secs: the same; it may be changed.
        next_at: when to look again.
        empty_at: when the last look began, if it was from the beginning and brought nothing; else None.
    """

    def __init__(self, poll_secs: float) -> None:
        self.poll_secs = poll_secs
        self._pause_secs = MIN_PAUSE_SECS
        self._sweep_secs = SWEEP_SECS
        self._swept_at = float("-inf")
        self._is_sweep_due = True
        self._overdue_secs = MIN_PAUSE_SECS
        self._marks: dict[int, datetime] = {}
        self._is_told = False
        self._num_vain_glances = 0
        self._num_looks_first = 0
        self.next_at = float("-inf")
        self.empty_at: float | None = None

    def hint(self, now: float) -> None:
        """Something was put in: look at once, and again soon."""
        self.look_now(now)
        self._is_told = True

    def look_now(self, now: float) -> None:
        """There may be something, though nobody told of it: look at once, and again soon."""
        self.next_at = now
        self._pause_secs = MIN_PAUSE_SECS

    def may_glance(self) -> bool:
        """Whether the next look had better be a glance."""
        return self._is_told and self.empty_at is not None and self._num_looks_first == 0

    def glanced(self, *, has_found: bool, now: float) -> None:
        """Take in what a glance has brought. After each vain one twice as many looks must find something."""
        self._is_told = False
        if has_found:
            self._num_vain_glances = 0
            self._pause_secs = MIN_PAUSE_SECS
            self.empty_at = None
        else:
            self._num_vain_glances = min(self._num_vain_glances + 1, MAX_VAIN_GLANCES)
            self._num_looks_first = 2**self._num_vain_glances
        self._is_sweep_due = True
        self.next_at = now

    def settled(self) -> None:
        """Outcomes were given without a look: they may have made room for more."""
        self.empty_at = None

    def marks(self, now: float) -> dict[int, datetime]:
        """Tell where to look from, for a look that begins now: empty for the beginning."""
        if self._is_sweep_due or now - self._swept_at >= self._sweep_secs:
            self._is_sweep_due = True
            return {}
        return self._marks

    def found(
        self,
        places: Iterable[tuple[int, datetime]],
        *,
        is_short: bool,
        began_at: float,
        now: float,
        due_secs: float | None,
    ) -> None:
        """Take in what the look that began then has brought.

        Args:
            places: lane and place in line of what was found; see places().
            is_short: whether it brought less than was asked for.
            began_at: when it began.
            now: when it was answered.
            due_secs: how long until the next scheduled job, or None.
        """
        self._is_told = False
        was_sweep, has_found = self._is_sweep_due, False
        if was_sweep:
            self._swept_at = now
            self._sweep_secs = min(max(SWEEP_SECS, (now - began_at) / SWEEP_SHARE), MAX_SWEEP_SECS)
            self._is_sweep_due = False
            self._marks = {}
        for lane_id, run_at in places:
            has_found = True
            mark = self._marks.get(lane_id)
            if mark is None or mark < run_at:
                self._marks[lane_id] = run_at
        self.empty_at = began_at if was_sweep and not has_found else None
        if has_found:
            self._pause_secs = MIN_PAUSE_SECS
            self._num_looks_first = max(self._num_looks_first - 1, 0)
        if not is_short:
            self.next_at = now
        elif not was_sweep:
            self._is_sweep_due = True
            self.next_at = now
        else:
            self._is_sweep_due = True
            self.next_at = now + min(self._idle_secs(), self._secs_until_due(due_secs))

    def _idle_secs(self) -> float:
        """The pause after a look that brought too little: twice as long each time."""
        pause_secs = self._pause_secs * random.uniform(0.67, 1.0)  # noqa: S311 - jitter
        self._pause_secs = min(2 * self._pause_secs, self.poll_secs)
        return pause_secs

    def _secs_until_due(self, due_secs: float | None) -> float:
        """The pause until the next scheduled job.

        One that is due and was not brought is held by somebody at this moment. Looking without a pause
        until it is let go would keep the server busy for nothing.
        """
        if due_secs is None:
            return float("inf")
        if due_secs > 0:
            self._overdue_secs = MIN_PAUSE_SECS
            return due_secs
        overdue_secs = self._overdue_secs
        self._overdue_secs = min(2 * overdue_secs, self.poll_secs)
        return overdue_secs
