"""Jobs that a puller has handed out, until the queue has heard what became of them."""

from __future__ import annotations

import asyncio

from cuckmq._runtime.desk import Desk
from cuckmq._runtime.dispatcher import Dispatcher
from cuckmq._runtime.running import Ended, Running
from cuckmq._runtime.scribe import Scribe
from cuckmq.attempt import Attempt
from cuckmq.errors import AttemptLost
from cuckmq.outcome import Outcome
from cuckmq.protocol.exchange import Row


class Handed:
    """What is in other people's hands.

    Args:
        desk: where the ends are laid down.
        dispatcher: gives them to the queue.
        scribe: writes down what jobs say of themselves.
    """

    def __init__(self, desk: Desk, dispatcher: Dispatcher, scribe: Scribe) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._scribe = scribe
        self._rows: dict[Attempt, Row] = {}
        self._waiters: dict[Attempt, asyncio.Future[bool]] = {}

    def hand_out(self, running: Running, row: Row) -> None:
        """Note that a job is in somebody's hands."""
        self._desk.start(running)
        self._rows[running.attempt] = row

    def take_back(self, attempt: Attempt) -> None:
        """Give back a job that nobody has seen."""
        running, row = self._desk.running.get(attempt), self._rows.pop(attempt, None)
        if row is not None and running is not None and self.is_ours(row):
            self._desk.stop(running, "stopping")
            self.finish(row, Ended(attempt, None, 0.0))

    def is_ours(self, row: Row) -> bool:
        """Whether the job has not been lost since it was claimed."""
        return self._desk.in_hand.get(row.job_id) is row

    def finish(self, row: Row, ended: Ended) -> None:
        """Lay down how a job ended."""
        self._desk.finish(ended)
        self._desk.finish_slice([row])

    async def settle(self, running: Running, ended: Ended) -> None:
        """Tell the queue what became of a job. Returns when it has heard.

        Raises:
            AttemptLost: the job is not ours any more.
            RuntimeError: it was said before.
        """
        attempt = running.attempt
        row = self._rows.pop(attempt, None)
        if row is None:
            raise RuntimeError(f"job {attempt.job_id} is not in your hands: you said what became of it")
        if attempt.ending in ("lost", "stopping") or not self.is_ours(row):
            self._desk.running.pop(attempt, None)
            lost = lost_by(attempt.job_id)
            await attempt.rollback(lost)
            raise lost
        if attempt.has_spoken:
            await self._scribe.write_last(attempt)
        if attempt.has_transaction and ended.outcome is not None and ended.error is None:
            await self._commit(row, ended, ended.outcome)
            return
        await attempt.rollback(ended.error or asyncio.CancelledError())
        if ended.outcome is None:
            attempt.ending = "stopping"
        heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters[attempt] = heard
        self.finish(row, ended)
        if not await heard:
            raise lost_by(attempt.job_id)
        if ended.outcome is None:
            await self._dispatcher.wait_until_sure()

    async def _commit(self, row: Row, ended: Ended, outcome: Outcome) -> None:
        """Settle in the attempt's own transaction; the queue has heard it then."""
        try:
            await ended.attempt.commit(outcome)
        except BaseException:
            ended.attempt.ending = "lost"
            raise
        finally:
            self.finish(row, ended._replace(outcome=None))

    def heard(self, ended: list[Ended], rows: list[Row]) -> None:
        """The queue has heard of these ends, and answered."""
        lost = {row.job_id for row in rows if row.verdict == "lost"}
        for each in ended:
            waiter = self._waiters.pop(each.attempt, None)
            is_heard = each.outcome is not None or each.attempt.ending == "stopping"
            if waiter is not None and not waiter.done():
                waiter.set_result(is_heard and each.attempt.job_id not in lost)

    async def recall(self) -> None:
        """Tell those who hold a job that it is not theirs any more."""
        for running in list(self._desk.running.values()):
            self._desk.stop(running, "stopping")
            await running.attempt.rollback(lost_by(running.attempt.job_id))

    def close(self) -> None:
        """Nothing will be heard any more."""
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_result(False)
        self._waiters.clear()


def lost_by(job_id: int) -> AttemptLost:
    """Say that a job was lost, and what to do."""
    return AttemptLost(
        f"job {job_id} is not yours any more: the queue has taken this puller for dead, or was stopped, and"
        " others may run the job; drop what you did for it"
    )
