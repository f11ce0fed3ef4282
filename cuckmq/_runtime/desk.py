"""What a worker has in hand, between its dispatcher and its lanes.

The dispatcher lays slices down (a job, or jobs of one group that follow each other), a lane takes one,
runs it, and lays down how each job ended; the dispatcher takes those away. All of it happens on the
worker's event loop; only `snapshot` is called from another thread, the heart's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from cuckmq._runtime.running import Ended, Running
from cuckmq.attempt import Attempt
from cuckmq.pause import pause
from cuckmq.protocol.exchange import Row


class Desk:
    """Everything a worker holds and has not settled.

    Attributes:
        in_hand: what the queue has given and has not heard the end of, by job.
        running: what lanes work on. By the attempt: one that has settled itself, or was lost, may still be
            ending when the job's next one has begun here.
        changed: set when the dispatcher should look again; it clears it.
        is_clear: set while nothing is in hand.
        num_idle_lanes: how many lanes wait for a slice.
        num_away: how many of the jobs in hand wait for other jobs, and keep no lane busy.
        num_held_lanes: how many lanes wait for a thread that works beyond its time.
        num_persistent: how many lanes work on a job that never ends.
        is_handing_over: whether persistent jobs are to go to other workers.
    """

    def __init__(self) -> None:
        self.in_hand: dict[int, Row] = {}
        self.running: dict[Attempt, Running] = {}
        self.changed = asyncio.Event()
        self.is_clear = asyncio.Event()
        self.is_clear.set()
        self.num_idle_lanes = 0
        self.num_away = 0
        self.num_held_lanes = 0
        self.num_persistent = 0
        self.is_handing_over = False
        self._slices: deque[list[Row]] = deque()
        self._sleepers: deque[asyncio.Future[bool]] = deque()
        self._ended: list[Ended] = []
        self._groups: dict[int, str] = {}
        self._holders: dict[int | None, Row] = {}  # the first job of the slice that a group was won for
        self._suspects: set[tuple[int, int]] = set()
        self._still: asyncio.Event | None = None

    @property
    def num_slices(self) -> int:
        """How much work lies here that no lane has taken yet."""
        return len(self._slices)

    @property
    def has_ended(self) -> bool:
        """Whether there is something to tell the queue."""
        return bool(self._ended or self._groups)

    @property
    def num_unfinished(self) -> int:
        """How much of what is in hand has not come to its end. What has goes with the next exchange."""
        return len(self.in_hand) - len(self._ended)

    @property
    def has_suspect(self) -> bool:
        """Whether a job that must run alone is in hand."""
        return bool(self._suspects)

    @property
    def has_groups(self) -> bool:
        """Whether a group is to be released, whose next job may be had at once."""
        return bool(self._groups)

    def lay_down(self, rows: list[Row]) -> None:
        """Lay claimed jobs down, those of one group together, and wake as many lanes as can take some."""
        by_group: dict[int, list[Row]] = {}
        for row in rows:
            self.in_hand[row.job_id] = row
            if row.is_suspect:
                self._suspects.add((row.job_id, row.attempt))
            if row.group_hash is None:
                self._slices.append([row])
            elif row.group_hash in by_group:
                by_group[row.group_hash].append(row)
            else:
                by_group[row.group_hash] = [row]
                self._slices.append(by_group[row.group_hash])
                self._holders[row.group_hash] = row
        self._wake(len(self._slices))
        if self.in_hand:
            self.is_clear.clear()
        else:
            self.is_clear.set()

    async def take_slice(self) -> list[Row] | None:
        """Take the next slice, waiting for one; None for a lane that was dismissed."""
        while not self._slices:
            sleeper = asyncio.get_running_loop().create_future()
            self._sleepers.append(sleeper)
            self.num_idle_lanes += 1
            self.changed.set()
            try:
                if not await sleeper:
                    return None
            except asyncio.CancelledError:
                if sleeper.cancelled():
                    with contextlib.suppress(ValueError):
                        self._sleepers.remove(sleeper)
                else:
                    self._wake(1)  # what it was woken for is another's to take
                self.changed.set()  # and if there is no other, the queue's
                raise
            finally:
                self.num_idle_lanes -= 1
        return self._slices.popleft()

    def put_back_slice(self, rows: list[Row]) -> None:
        """Lay a slice back that was taken and not begun on, before all others."""
        self._slices.appendleft(rows)
        self._wake(1)
        self.changed.set()

    def _wake(self, num_lanes: int) -> None:
        while num_lanes > 0 and self._sleepers:
            sleeper = self._sleepers.popleft()
            if not sleeper.done():
                sleeper.set_result(True)
                num_lanes -= 1

    def dismiss_idle_lane(self) -> bool:
        """Have a lane end that waits for a slice. Tells whether there was one."""
        while self._sleepers:
            sleeper = self._sleepers.pop()
            if not sleeper.done():
                sleeper.set_result(False)
                return True
        return False

    def start(self, running: Running) -> None:
        """Note that an attempt has started."""
        self.running[running.attempt] = running
        if running.is_persistent:
            self.num_persistent += 1
            self.changed.set()

    def finish(self, ended: Ended) -> None:
        """Lay down how an attempt ended."""
        running = self.running.pop(ended.attempt, None)
        if running is not None and running.is_persistent:
            self.num_persistent -= 1
        if self._still is not None and not self.running:
            self._still.set()
        self._ended.append(ended)
        self.changed.set()

    async def wait_until_still(self, at_most_secs: float) -> None:
        """Wait until nothing runs, but no longer than so many seconds."""
        if self.running:
            self._still = asyncio.Event()
            await pause(self._still, at_most_secs)

    def hold_up(self, num_lanes: int) -> None:
        """Note that so many lanes more, or less, wait for a thread that works beyond its time."""
        self.num_held_lanes += num_lanes
        self.changed.set()

    def finish_slice(self, rows: list[Row]) -> None:
        """Note that a slice is done; its group, if it has one, is to be released.

        A slice that was lost releases nothing: this worker may have won the group again since, and the next
        slice may be running by now.
        """
        if self._suspects:
            self._suspects.difference_update((row.job_id, row.attempt) for row in rows)
        first = rows[0]
        if first.group_hash is not None and first.job_group is not None and self._holds_group(first):
            del self._holders[first.group_hash]
            self._groups[first.group_hash] = first.job_group
        self.changed.set()

    def _holds_group(self, first: Row) -> bool:
        return self._holders.get(first.group_hash) is first

    def take_ended(self) -> tuple[list[Ended], dict[int, str]]:
        """Take what is to be told to the queue: ends of attempts, and groups by hash."""
        taken = self._ended, self._groups
        self._ended, self._groups = [], {}
        return taken

    def give_back(self, ended: list[Ended], groups: dict[int, str]) -> None:
        """Lay down again what could not be told."""
        self._ended[:0] = ended
        self._groups = groups | self._groups

    def settled(self, ended: list[Ended]) -> list[tuple[Ended, Row]]:
        """Forget attempts that the queue has heard of. Returns them, each with what it was claimed as.

        Call it before lay_down() takes in what came with the same answer: a job that was snoozed may be
        among that, under the same number. And lay_down() then tells whether anything is in hand, so
        that nobody is told so between the two.
        """
        known = []
        for each in ended:
            row = self.in_hand.get(each.attempt.job_id)
            if row is None:
                continue
            known.append((each, row))
            if row.attempt == each.attempt.number:  # else its next attempt is in hand already
                del self.in_hand[row.job_id]
        return known

    def drop_other_lanes(self, lane_ids: list[int]) -> bool:
        """Let go of what has not started and is of none of these lanes. Tells whether there was any.

        What was dropped stays with the queue until it is recalled.
        """
        return self._drop([row for row in self.in_hand.values() if row.lane_id not in lane_ids])

    def drop_unstarted(self) -> bool:
        """Let go of all that has not started. Tells whether there was any. Else as drop_other_lanes()."""
        return self._drop(list(self.in_hand.values()))

    def _drop(self, rows: list[Row]) -> bool:
        attempts = [*self.running, *(each.attempt for each in self._ended)]
        begun = {(attempt.job_id, attempt.number) for attempt in attempts}
        dropped = [row for row in rows if (row.job_id, row.attempt) not in begun]
        for row in dropped:
            del self.in_hand[row.job_id]
            self._suspects.discard((row.job_id, row.attempt))
        slices, self._slices = self._slices, deque()
        for each in slices:
            if any(row.job_id in self.in_hand for row in each):
                self._slices.append(each)
            elif self._holds_group(each[0]):
                del self._holders[each[0].group_hash]
        if not self.in_hand:
            self.is_clear.set()
        return bool(dropped)

    def hand_over(self) -> None:
        """Tell persistent jobs to stop, and begin none, so that other workers take them up."""
        self.is_handing_over = True
        for running in list(self.running.values()):
            if running.is_persistent:
                self.stop(running, "stopping")

    def trust(self, running: Running) -> None:
        """Let others run beside a suspect that has run for a while and done no harm."""
        if running.attempt in self.running:
            self._suspects.discard((running.attempt.job_id, running.attempt.number))
            self.changed.set()

    def abandon(self, ending: str) -> None:
        """Let go of everything: what has not started is dropped, what runs is told to stop.

        What ended and was not settled stays here without its outcome: it is told to have been in vain.
        """
        self._slices.clear()
        for each in self._ended:
            each.attempt.ending = each.attempt.ending or ending
        self._ended = [each._replace(outcome=None) for each in self._ended]
        self._groups.clear()
        self._holders.clear()
        self._suspects.clear()
        self.in_hand.clear()
        self.is_clear.set()
        for running in list(self.running.values()):
            self.stop(running, ending)

    def stop(self, running: Running, ending: str) -> None:
        """Tell one attempt to stop, and why. The first reason stands."""
        if running.attempt.ending is None:
            running.attempt.ending = ending
            if running.task is not None:
                running.task.cancel()

    def snapshot(self) -> dict[int, Running]:
        """The attempts that run at this moment, of each job the latest. For the heart's thread."""
        return {running.attempt.job_id: running for running in list(self.running.values())}
