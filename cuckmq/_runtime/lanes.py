"""A worker's lanes: as many tasks as it runs jobs at once, each taking slices and running them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, cast

from cuckmq._runtime.berth import Berths, LaneSlot
from cuckmq._runtime.desk import Desk
from cuckmq._runtime.executor import Executor
from cuckmq.context import Context
from cuckmq.log import get_log
from cuckmq.protocol.exchange import Row
from cuckmq.slot import SLOT

_logger = get_log("cuckmq.worker")

DOUBT_SECS: Final = 0.01


class Lanes:
    """Run what lies on the desk, until they are told to let go.

    Args:
        context: whose definitions to run.
        desk: where slices lie.
        executor: runs one job.
        is_leased: tells whether the worker's lease still holds for sure.
        is_tended: tells whether somebody still talks with the queue for these lanes.
    """

    def __init__(
        self,
        context: Context,
        desk: Desk,
        executor: Executor,
        *,
        is_leased: Callable[[], bool],
        is_tended: Callable[[], bool],
    ) -> None:
        self._context = context
        self._desk = desk
        self._executor = executor
        self._is_leased = is_leased
        self._is_tended = is_tended
        self._is_letting_go = False
        self._berths = Berths(desk, self._open)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, num_lanes: int) -> None:
        """Open so many lanes."""
        self._berths.fill(num_lanes)

    def _open(self) -> None:
        task = asyncio.get_running_loop().create_task(self._run(), name="cuckmq-lane")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def let_go(self, patience_secs: float) -> None:
        """Stop what still runs: it goes back to the queue. What does not stop in time is left behind."""
        self._is_letting_go = True
        for running in list(self._desk.running.values()):
            self._desk.stop(running, "stopping")
        await self._desk.wait_until_still(patience_secs)
        for running in list(self._desk.running.values()):
            _logger.warning("job %s does not stop when told; it is left behind", running.attempt.job_id)

    async def stop(self, patience_secs: float) -> None:
        """Close all lanes."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=patience_secs)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        lane = cast("asyncio.Task[None]", asyncio.current_task())
        while not self._berths.is_given_up():
            try:
                rows = await self._desk.take_slice()
                if rows is None:
                    return
                for row in rows:
                    if not self._is_leased():
                        await self._until_sure(row)
                    if self._is_still_ours(row):
                        slot = LaneSlot(self._berths, row, loop)
                        SLOT.set(slot)
                        await self._executor.run(row, self._context.known[row.definition_id], lane)
                        slot.end()
                        if lane.cancelling():
                            await self._shake_off(lane)
                self._desk.finish_slice(rows)
                if self._is_letting_go or self._is_left_behind(lane):
                    return
            except asyncio.CancelledError:
                # An attempt may have been told to stop when it had just ended: not the lane.
                if self._is_letting_go or self._is_left_behind(lane):
                    raise

    async def _shake_off(self, lane: asyncio.Task[None]) -> None:
        """Take it back if a job has cancelled the task that it ran in: others run there after it."""
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)  # it comes now, if it has not come
        if self._is_letting_go or self._is_left_behind(lane):
            raise asyncio.CancelledError

    def _is_left_behind(self, lane: asyncio.Task[None]) -> bool:
        """Whether this was cancelled with all that a program leaves running: so asyncio.run() ends.

        What else cancels a lane is meant for the job it works on, or comes from that job, and is taken back.
        """
        if lane.cancelling() and not self._is_tended():
            return True
        while lane.cancelling():
            lane.uncancel()
        return False

    async def _until_sure(self, row: Row) -> None:
        """Begin nothing on a lease that may be over.

        A process that was frozen wakes up in the middle of its work, before it has heard anything. What
        it claimed ahead may be running elsewhere. The heart learns in a moment which it is: the lease goes
        on, or everything in hand is dropped.
        """
        while not self._is_leased() and self._is_still_ours(row):  # noqa: ASYNC110 - rare and short
            await asyncio.sleep(DOUBT_SECS)

    def _is_still_ours(self, row: Row) -> bool:
        return not self._is_letting_go and self._desk.in_hand.get(row.job_id) is row
