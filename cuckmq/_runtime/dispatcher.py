"""The worker's talk with the queue: one connection, one exchange after the other.

Each exchange gives the outcomes that have come together and takes as many jobs as the worker has
appetite for. While it is under way the lanes go on working, so the next exchange has new outcomes to
give; a lone outcome of an idle worker goes at once.

When a connection breaks in the middle of an exchange, nobody here knows whether it was made. What was
to be given is given again (the fence makes that safe), and before anything new is claimed the queue
is told what is in hand, so that jobs claimed unheard are put back (recall). When the queue says that it
took this worker for dead, everything is let go, and the worker goes on under a new id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Final

import psycopg

from cuckmq._runtime.appetite import MAX_LIMIT, Appetite
from cuckmq._runtime.desk import Desk, Ended
from cuckmq._runtime.idler import Idler
from cuckmq._runtime.lookout import Lookout
from cuckmq._runtime.reporter import Reporter
from cuckmq._runtime.session import Session
from cuckmq._runtime.tally import Tally
from cuckmq.context import Context
from cuckmq.errors import CuckmqError, WorkerLost
from cuckmq.protocol import workers
from cuckmq.protocol.exchange import Demand, Row, exchange

_logger = logging.getLogger("cuckmq.worker")

MAX_PAUSE_SECS: Final = 5.0


class Dispatcher:
    """Keeps the session open, and exchanges until it is told to close and nothing is left to give.

    Args:
        context: whose queue.
        session: with the queue.
        desk: what is in hand.
        tally: counts what the queue has heard.
        name: of the worker.
        channels: which to serve; None for all.
        concurrency: how many lanes there are.
        poll_secs: how often to look when nothing is going on.
        idle_secs: how long idleness must have lasted to be told.
        on_lost: called when this incarnation is over, while it still has its id.
        appetite: says how much to ask for; as so many lanes would have it if not given.
        on_settled: told which ends the queue has heard, and what it answered.

    Attributes:
        is_paused: whether to claim nothing for the time being.
        claimed_at: when jobs were last asked for with success, by the monotonic clock; None before.
    """

    def __init__(
        self,
        context: Context,
        session: Session,
        desk: Desk,
        tally: Tally,
        *,
        name: str,
        channels: list[str] | None,
        concurrency: int,
        poll_secs: float,
        idle_secs: float,
        on_lost: Callable[[], None],
        appetite: Appetite | None = None,
        on_settled: Callable[[list[Ended], list[Row]], None] = lambda ended, rows: None,
    ) -> None:
        self._context = context
        self._on_lost = on_lost
        self._session = session
        self._desk = desk
        self._tally = tally
        self._name = name
        self._channels = channels
        self._appetite = appetite or Appetite(concurrency)
        self._on_settled = on_settled
        self._lookout = Lookout(poll_secs)
        self._reporter = Reporter(context)
        self._idler = Idler(
            context,
            name=name,
            idle_secs=idle_secs,
            worker_id=lambda: self.worker_id,
            is_idle=self.is_idle,
            look=self.hint,
        )
        self._turned = asyncio.Event()
        self._talk = asyncio.Lock()
        self._served = asyncio.Event()
        self._is_unsure = False
        self._is_claiming = True
        self.is_paused = False
        self._is_closing = False
        self.claimed_at: float | None = None

    @property
    def worker_id(self) -> int:
        """Of this incarnation; 0 while there is none."""
        return self._session.worker_id

    def hint(self) -> None:
        """There may be something to claim."""
        self._lookout.hint(time.monotonic())
        self._desk.changed.set()

    def serves(self, channel_id: int) -> bool:
        """Whether this worker takes jobs from the channel."""
        channel_ids = self._session.channel_ids
        return channel_ids is None or channel_id in channel_ids

    def lose(self, *, is_cut_off: bool = False) -> None:
        """The queue has taken this worker for dead, or may have: let everything go and register anew."""
        self._desk.abandon("lost")
        self._lookout.settled()
        if self.worker_id:
            self._on_lost()
        self._session.lose(is_cut_off=is_cut_off)
        self._desk.changed.set()

    def stop_claiming(self) -> None:
        """Claim nothing more; go on giving outcomes."""
        self._is_claiming = False
        self._desk.changed.set()

    async def pause(self) -> None:
        """Claim nothing until resume(). Returns when no claim is under way."""
        self.is_paused = True
        async with self._talk:
            pass
        self._turned.set()

    def resume(self) -> None:
        """Claim again, beginning at once."""
        self.is_paused = False
        self.hint()

    async def serve(self, channels: list[str]) -> None:
        """Serve other channels. Returns when the queue knows, and what is theirs no longer is back there."""
        self._channels = channels
        self._desk.changed.set()
        while self._is_unsure or not self._session.is_serving(self._channels):
            self._served.clear()
            await self._served.wait()

    async def answer_hints(self) -> None:
        """Wait until a hint that came before has led to a look, if there is a lane to work for it."""
        while self._is_claiming and self._lookout.next_at <= time.monotonic() and self._limit() > 0:
            self._turned.clear()
            self._desk.changed.set()
            await self._turned.wait()

    def is_idle(self, since: float = float("-inf")) -> bool:
        """Whether nothing is in hand, and a look that began since then has brought nothing.

        One that is paused or closing looks no more, and is idle when nothing is in hand.
        """
        if self._desk.in_hand or self._desk.has_ended:
            return False
        empty_at = self._lookout.empty_at
        is_looking = self._is_claiming and not self.is_paused
        return not is_looking or (empty_at is not None and empty_at >= since)

    async def wait_until_idle(self) -> None:
        """Look at once, and wait until a look has brought nothing and nothing is in hand."""
        since = time.monotonic()
        self.hint()
        while not self.is_idle(since):
            self._turned.clear()
            await self._turned.wait()

    async def wait_until_barren(self, since: float) -> None:
        """Wait until a look that began since then has brought nothing."""
        while (empty_at := self._lookout.empty_at) is None or empty_at < since:
            self._turned.clear()
            await self._turned.wait()

    async def wait_until_sure(self) -> None:
        """Wait until the queue has back what was let go of."""
        while self._is_unsure:
            self._served.clear()
            await self._served.wait()

    def close(self) -> None:
        """End when everything that is there has been given."""
        self._is_claiming = False
        self._is_closing = True
        self._idler.stop()
        self._desk.changed.set()

    async def run(self) -> None:
        """Exchange, whatever happens in between, until closed."""
        pause_secs = 0.05
        while True:
            try:
                if await self._session.open():
                    self._is_unsure = False
                if self._channels is not None and not self._session.is_serving(self._channels):
                    await self._serve(self._channels)
                if self._has_too_much() and self._desk.drop_unstarted():
                    self._is_unsure = True
                if self._is_unsure:
                    await self._recall()
                self._served.set()
                if not await self._turn():
                    return
                pause_secs = 0.05
            except WorkerLost as error:
                _logger.warning("worker %s (%s): %s; it goes on anew", self.worker_id, self._name, error)
                self.lose()
            except Exception as error:
                known = isinstance(error, (psycopg.Error, OSError, CuckmqError))
                _logger.warning(
                    "worker %s (%s) cannot reach its queue, trying again: %s",
                    self.worker_id, self._name, error, exc_info=not known,
                )  # fmt: skip
                self._is_unsure = True
                await self._session.disconnect()
                await asyncio.sleep(pause_secs * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                pause_secs = min(2 * pause_secs, MAX_PAUSE_SECS)

    async def _serve(self, channels: list[str]) -> None:
        lane_ids = await self._session.serve(channels)
        if self._desk.drop_other_lanes(lane_ids):
            self._is_unsure = True
        self._lookout.hint(time.monotonic())

    def _has_too_much(self) -> bool:
        """Whether nobody is left to take what was claimed: it would wait for ever."""
        self._count_persistent()
        return self._desk.has_slices and self._appetite.is_over

    def _count_persistent(self) -> int:
        """Tell how many lanes persistent jobs hold, and the appetite as well; one that is away none."""
        count = max(self._desk.num_persistent - self._desk.num_away, 0)
        self._appetite.num_held_lanes = self._desk.num_held_lanes + count
        return count

    async def _recall(self) -> None:
        (put_back,) = await self._session.run(workers.recall(self.worker_id, list(self._desk.in_hand)))
        if put_back:
            _logger.info("worker %s put back %s jobs it had not heard of", self.worker_id, len(put_back))
        self._is_unsure = False
        self._lookout.hint(time.monotonic())

    async def _turn(self) -> bool:
        """Wait until an exchange is worth making, and make it. False when all is done."""
        self._desk.changed.clear()
        limit = self._limit() if self._lookout.next_at <= time.monotonic() else 0
        if limit == 0 and not self._desk.has_ended:
            if self._is_closing:
                return False
            await self._wait(None if self._limit() == 0 else self._lookout.next_at)
            return True
        async with self._talk:
            await self._exchange(limit)
        return True

    def _limit(self) -> int:
        """How many jobs to ask for; 0 while the lanes have enough, or must not get more."""
        if not self._is_claiming or self.is_paused or (self._desk.has_suspect and not self._desk.num_away):
            return 0
        num_not_counted = self._desk.num_away + self._count_persistent()
        target, in_hand = self._appetite.target, max(len(self._desk.in_hand) - num_not_counted, 0)
        limit = min(target - in_hand, MAX_LIMIT)
        is_starving = self._desk.num_idle_lanes > 0 and not self._desk.has_slices
        return limit if limit > 0 and (is_starving or limit * 4 >= target) else 0

    async def _wait(self, until: float | None) -> None:
        timeout_secs = None if until is None or until == float("inf") else max(0.0, until - time.monotonic())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._desk.changed.wait(), timeout_secs)

    async def _exchange(self, limit: int) -> None:
        ended, groups = self._desk.take_ended()
        outcomes = [each.outcome for each in ended if each.outcome is not None]
        limit = limit or (self._limit() if groups else 0)
        began_at, worker_id = time.monotonic(), self.worker_id
        known, marks = list(self._context.known), self._lookout.marks(began_at)
        demand = Demand(self._session.channel_ids, known, limit, self._appetite.slice, marks)
        try:
            rows = await self._session.run(exchange(worker_id, outcomes, list(groups), demand))
        except BaseException:
            self._desk.give_back(ended, groups)
            raise
        self._appetite.learn(len(ended), sum(each.duration_secs for each in ended), began_at)
        claimed = [row for row in rows if row.verdict is None]
        if worker_id != self.worker_id:
            claimed = []  # They are a worker's that was given up meanwhile, and go back with its lease.
        self._tally.ended(ended, rows, self._desk.in_hand)
        self._desk.settled(ended)
        if any(each.outcome is None and each.attempt.ending == "stopping" for each in ended):
            self._is_unsure = True  # what was let go of is to be recalled
        self._on_settled(ended, rows)
        self._tally.claimed(claimed)
        self._desk.lay_down(claimed)
        self._look_ahead(rows, claimed, demand, began_at)
        self._reporter.report(ended, groups, rows, claimed, worker_id)
        self._idler.turned(is_clear=not self._desk.in_hand)
        self._turned.set()

    def _look_ahead(self, rows: list[Row], claimed: list[Row], demand: Demand, began_at: float) -> None:
        """Learn from an exchange when to look again."""
        now = time.monotonic()
        if demand.limit > 0:
            self.claimed_at = now
            due_secs = next((row.secs for row in rows if row.verdict == "due"), None)
            self._lookout.found(
                ((row.lane_id, row.run_at) for row in claimed),
                is_short=len(claimed) < demand.limit,
                began_at=began_at,
                now=now,
                due_secs=due_secs,
            )
        else:
            self._lookout.settled()
        if any(row.verdict == "scheduled" for row in rows):
            self._lookout.hint(now)
