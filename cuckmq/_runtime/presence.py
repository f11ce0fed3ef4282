"""A worker's presence in the queue: all that the queue sees of it, whoever runs the jobs.

A worker has lanes that run what it claims, a puller hands it to its callers. To the queue they are the same:
a session that gives outcomes and takes jobs, a heart that beats, an ear for hints, and a share in the upkeep
that all workers do for each other. That is made here, once, and begun and ended in the right order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from cuckmq._runtime.appetite import Appetite
from cuckmq._runtime.chronicle import Chronicle
from cuckmq._runtime.clerk import Clerk
from cuckmq._runtime.company import Company
from cuckmq._runtime.desk import Desk
from cuckmq._runtime.dispatcher import Dispatcher
from cuckmq._runtime.duty import DutyLoop
from cuckmq._runtime.ear import Ear
from cuckmq._runtime.farewell import take_leave
from cuckmq._runtime.habits import Habits
from cuckmq._runtime.heart import Heart
from cuckmq._runtime.rescuer import Rescuer
from cuckmq._runtime.running import Ended
from cuckmq._runtime.scribe import Scribe
from cuckmq._runtime.session import Session
from cuckmq._runtime.sweeper import Sweeper
from cuckmq._runtime.tally import Tally
from cuckmq.context import Context
from cuckmq.database.fuse import Fuse
from cuckmq.protocol.exchange import Row

STOP_SECS: Final = 1.0


class Presence:
    """Of one worker, from one start to the next stop.

    Args:
        context: whose queue.
        habits: how it behaves.
        chronicle: of its incarnations.
        make_appetite: makes what says how much to ask for.
        on_settled: told which ends the queue has heard, and what it answered.

    Attributes:
        company: who else is there.
        desk: what is in hand.
        session: with the queue.
        dispatcher: talks with the queue.
        scribe: writes down what jobs say of themselves.
        ear: hears hints, and the answers to beats.
        heart: beats.
        talk: the dispatcher at work; None before begin() and after close().
    """

    def __init__(
        self,
        context: Context,
        habits: Habits,
        chronicle: Chronicle,
        *,
        make_appetite: Callable[[Desk], Appetite],
        on_settled: Callable[[list[Ended], list[Row]], None] = lambda ended, rows: None,
    ) -> None:
        self._context = context
        self._habits = habits
        self._chronicle = chronicle
        self._tally = Tally()
        self._clerk = Clerk(context, self._tally)
        self._duties: list[DutyLoop] = []
        self._leave: list[Callable[[], None]] = []
        self.company = Company()
        self.desk = Desk()
        self.scribe = Scribe(context)
        self.session = Session(context, habits, on_registered=self._on_registered)
        self.dispatcher = Dispatcher(
            context,
            self.session,
            self.desk,
            self._tally,
            habits=habits,
            company=self.company,
            appetite=make_appetite(self.desk),
            on_lost=chronicle.lose,
            on_settled=on_settled,
        )
        self.ear = Ear(
            self.desk,
            self.dispatcher,
            self.company,
            lambda: self.heart.beat_now(),  # noqa: PLW0108 - made next
        )
        self.heart = Heart(
            context.database,
            beat_secs=habits.beat_secs,
            lease_secs=habits.lease_secs,
            snapshot=self.desk.snapshot,
            on_pulse=self.ear.from_thread(self.ear.on_pulse),
            on_silence=self.ear.from_thread(self.ear.on_silence),
        )
        self.talk: asyncio.Task[None] | None = None

    def is_tended(self) -> bool:
        """Whether the dispatcher is at work, and nobody has told it to end."""
        return self.talk is not None and not self.talk.done() and not self.talk.cancelling()

    async def connect(self) -> None:
        """Connect, register, and begin to beat. Raises what stands in the way."""
        self.ear.loop = self.scribe.loop = asyncio.get_running_loop()
        await self.session.open()
        with Fuse().stand():
            await self._context.recognize()

    def begin(self) -> None:
        """Begin to hear, and to claim."""
        self._leave = [
            self._context.listener.subscribe(self.ear.on_hint),
            self._context.wakes.subscribe(self.ear.on_wake),
        ]
        self.talk = asyncio.get_running_loop().create_task(self.dispatcher.run(), name="cuckmq-dispatcher")

    def attend(self, *duties: DutyLoop) -> None:
        """Begin with the duties: those of everyone who is present, and these."""
        scribe = DutyLoop(self.scribe)
        self.scribe.on_notice = scribe.hasten
        rescuer = DutyLoop(
            Rescuer(
                self._context,
                beat_secs=self._habits.beat_secs,
                lease_secs=self._habits.lease_secs,
                company=self.company,
            )
        )
        sweeper = DutyLoop(Sweeper(self._context, self.company))
        self.company.on_rescue_due, self.company.on_sweep_due = rescuer.hasten, sweeper.hasten
        self._duties = [rescuer, sweeper, DutyLoop(self._clerk), scribe, *duties]
        for duty in self._duties:
            duty.start()

    async def close(self) -> None:
        """Give the last outcomes, take leave of the queue, and end what was begun."""
        for leave in self._leave:
            leave()
        for duty in self._duties:
            await duty.stop()
        self.dispatcher.close()
        await take_leave(self.session, self.talk, STOP_SECS)
        await self._clerk.finish(STOP_SECS)
        await asyncio.to_thread(self.heart.stop, STOP_SECS)
        self.talk, self._duties, self._leave = None, [], []

    def _on_registered(self, worker_id: int) -> None:
        self.heart.start(worker_id)
        self._chronicle.register(worker_id)
