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
import random
import time
from collections.abc import Callable
from typing import Final

import psycopg

from cuckmq._runtime.appetite import Appetite
from cuckmq._runtime.company import Company
from cuckmq._runtime.desk import Desk
from cuckmq._runtime.exchanger import Exchanger
from cuckmq._runtime.habits import Habits
from cuckmq._runtime.idler import Idler
from cuckmq._runtime.lookout import Lookout
from cuckmq._runtime.room import Room
from cuckmq._runtime.running import Ended
from cuckmq._runtime.session import Session
from cuckmq._runtime.tally import Tally
from cuckmq.context import Context
from cuckmq.errors import CuckmqError, WorkerLost
from cuckmq.log import get_log
from cuckmq.protocol.exchange import Row

_logger = get_log("cuckmq.worker")

MAX_PAUSE_SECS: Final = 5.0


class Dispatcher:
    """Keeps the session open, and exchanges until it is told to close and nothing is left to give.

    Args:
        context: whose queue.
        session: with the queue.
        desk: what is in hand.
        tally: counts what the queue has heard.
        habits: of the worker.
        company: who else looks.
        appetite: says how much to ask for.
        on_lost: called when this incarnation is over, while it still has its id.
        on_settled: told which ends the queue has heard, and what it answered.

    Attributes:
        is_paused: whether to claim nothing for the time being.
    """

    def __init__(
        self,
        context: Context,
        session: Session,
        desk: Desk,
        tally: Tally,
        *,
        habits: Habits,
        company: Company,
        appetite: Appetite,
        on_lost: Callable[[], None],
        on_settled: Callable[[list[Ended], list[Row]], None],
    ) -> None:
        self._on_lost = on_lost
        self._listener = context.listener
        self._session = session
        self._desk = desk
        self._name = habits.name
        self._channels = habits.channels
        self._room = Room(desk, appetite)
        self._company = company
        self._poll_secs = habits.poll_secs
        self._lookout = Lookout(habits.poll_secs)
        self._exchanger = Exchanger(
            context,
            session,
            desk,
            tally,
            appetite=appetite,
            lookout=self._lookout,
            on_settled=on_settled,
        )
        self._idler = Idler(
            context,
            name=habits.name,
            idle_secs=habits.idle_secs,
            worker_id=lambda: self.worker_id,
            is_idle=self.is_idle,
            look=self.look_now,
        )
        self._turned = asyncio.Event()
        self._talk = asyncio.Lock()
        self._served = asyncio.Event()
        self._is_unsure = False
        self._is_claiming = True
        self.is_paused = False
        self._is_closing = False

    @property
    def worker_id(self) -> int:
        """Of this incarnation; 0 while there is none."""
        return self._session.worker_id

    @property
    def claimed_at(self) -> float | None:
        """When jobs were last asked for with success, by the monotonic clock; None before."""
        return self._exchanger.claimed_at

    def hint(self) -> None:
        """Something to claim was put in."""
        self._lookout.hint(time.monotonic())
        self._desk.changed.set()

    def look_now(self) -> None:
        """There may be something to claim, though nobody told of it."""
        self._lookout.look_now(time.monotonic())
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
        self.look_now()

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
        self.look_now()
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
                if self._room.is_gone() and self._desk.drop_unstarted():
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
        self._lookout.look_now(time.monotonic())

    async def _recall(self) -> None:
        put_back = await self._session.recall(list(self._desk.in_hand))
        if put_back:
            _logger.info("worker %s put back %s jobs it had not heard of", self.worker_id, len(put_back))
        self._is_unsure = False
        self._lookout.look_now(time.monotonic())

    async def _turn(self) -> bool:
        """Wait until an exchange is worth making, and make it. False when all is done."""
        self._desk.changed.clear()
        limit = self._limit() if self._lookout.next_at <= time.monotonic() else 0
        if limit == 0 and not self._desk.has_ended:
            if self._is_closing:
                return False
            await self._wait(float("inf") if self._limit() == 0 else self._lookout.next_at)
            return True
        async with self._talk:
            await self._exchange(limit or (self._limit() if self._desk.has_groups else 0))
        return True

    async def _exchange(self, limit: int) -> None:
        # Four who look half as often find a thing as soon as two do now; who is told of it looks for what
        # was not told.
        at_most = 4 if self._listener.is_connected.is_set() else 2
        self._lookout.poll_secs = self._company.share(self._poll_secs, at_most=at_most, num_eager=2)
        if await self._exchanger.exchange(limit):
            self._is_unsure = True
        self._idler.turned(is_clear=not self._desk.in_hand)
        self._turned.set()

    def _limit(self) -> int:
        """How many jobs to ask for; 0 while there is no room, or must not be more."""
        return self._room.num_wanted() if self._is_claiming and not self.is_paused else 0

    async def _wait(self, until: float) -> None:
        """Wait for a change. That the time has come is one: so a change pays nothing for the limit."""
        changed = self._desk.changed
        if until == float("inf"):
            await changed.wait()
            return
        timer = asyncio.get_running_loop().call_later(max(0.0, until - time.monotonic()), changed.set)
        try:
            await changed.wait()
        finally:
            timer.cancel()
