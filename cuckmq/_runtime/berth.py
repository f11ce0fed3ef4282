"""Berths: so many lanes work at a time, and one whose job waits for another job gives its berth up.

A job that puts in others and waits for them would keep its lane while it does nothing, and on a worker with
one lane the others would never run. So while it waits its lane does not count: another lane is opened in
its place. When the waiting is over the job may not simply go on, or more would run at once than the worker
was told to: it waits for a berth. An idle lane goes at once; else the next one that is done with its slice.

A job may wait for several others at the same time (asyncio.gather): it is away from when the first waiting
begins until the last has ended. A job that is cancelled while it waits goes on at once, to clean up, berth or
not; the next lane that is done goes in its stead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from cuckmq._runtime.desk import Desk
from cuckmq.protocol.exchange import Row


class Berths:
    """Counts the lanes that work.

    Args:
        desk: told how many jobs are away; knows which lanes are idle.
        open_lane: opens another lane.
    """

    def __init__(self, desk: Desk, open_lane: Callable[[], None]) -> None:
        self._desk = desk
        self._open_lane = open_lane
        self._num_berths = 0
        self._num_taken = 0
        self._returning: deque[asyncio.Future[None]] = deque()

    def fill(self, num_berths: int) -> None:
        """Open as many lanes."""
        self._num_berths = self._num_taken = num_berths
        for _ in range(num_berths):
            self._open_lane()

    def is_given_up(self) -> bool:
        """Ask, between two slices, whether this lane is to end: another has its berth."""
        while self._returning:
            returning = self._returning.popleft()
            if not returning.done():
                returning.set_result(None)
                return True
        if self._num_taken > self._num_berths:
            self._num_taken -= 1
            return True
        return False

    def leave(self) -> None:
        """A job begins to wait: its berth goes to one that comes back, or to a new lane."""
        self._desk.num_away += 1
        if not self.is_given_up():
            self._open_lane()
        self._desk.changed.set()

    async def come_back(self) -> None:
        """A job has waited to the end: get it a berth."""
        if not self._desk.dismiss_idle_lane():
            returning = asyncio.get_running_loop().create_future()
            self._returning.append(returning)
            try:
                await returning
            except asyncio.CancelledError:
                if not returning.done() or returning.cancelled():
                    self._num_taken += 1
                self._desk.num_away -= 1
                raise
        self._desk.num_away -= 1

    def burst_in(self) -> None:
        """A job goes on at once: it was cancelled while it waited."""
        self._num_taken += 1
        self._desk.num_away -= 1


class LaneSlot:
    """The slot of one job: what it finds in SLOT.

    Args:
        berths: where its lane has one.
        row: the job.
        loop: the one that the lane runs on. (To ask for it costs a system call before Python 3.12.)
    """

    __slots__ = ("_berths", "_num_waits", "is_over", "job_group", "job_id", "loop")

    def __init__(self, berths: Berths, row: Row, loop: asyncio.AbstractEventLoop) -> None:
        self.job_id = row.job_id
        self.job_group = row.job_group
        self.is_over = False
        self.loop = loop
        self._berths = berths
        self._num_waits = 0

    @asynccontextmanager
    async def vacated(self) -> AsyncGenerator[None]:
        """Leave the lane to others; at the end wait until there is one to go on in."""
        if self.is_over:  # something that the job has left behind; it is in nobody's lane
            yield
            return
        self._num_waits += 1
        if self._num_waits == 1:
            self._berths.leave()
        is_cancelled = False
        try:
            yield
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            self._num_waits -= 1
            if self._num_waits == 0 and not self.is_over:
                if is_cancelled:
                    self._berths.burst_in()
                else:
                    await self._berths.come_back()

    def end(self) -> None:
        """The job has ended. One that left something waiting behind is not away any more."""
        self.is_over = True
        if self._num_waits:
            self._berths.burst_in()
