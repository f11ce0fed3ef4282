"""The puller: claims jobs one at a time for those who run their own loop.

It is a worker without lanes. The same dispatcher talks with the queue, the same heart keeps the lease, and
the same desk stands between; but whoever calls claim() takes the place of a lane. So the appetite is as
many jobs as callers wait for, and what is laid down after its caller has given up goes back at once.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from cuckmq._runtime.answers import Refused
from cuckmq._runtime.chronicle import Chronicle
from cuckmq._runtime.clerk import Clerk
from cuckmq._runtime.conclusion import conclude_error, conclude_expired, decode, make_attempt
from cuckmq._runtime.daemon import Daemon
from cuckmq._runtime.desk import Desk, Ended, Running
from cuckmq._runtime.dispatcher import Dispatcher
from cuckmq._runtime.duty import DutyLoop
from cuckmq._runtime.ear import Ear
from cuckmq._runtime.farewell import take_leave
from cuckmq._runtime.hand_appetite import HandAppetite
from cuckmq._runtime.heart import Heart
from cuckmq._runtime.lanes import DOUBT_SECS
from cuckmq._runtime.rescuer import Rescuer
from cuckmq._runtime.scribe import Scribe
from cuckmq._runtime.session import Session
from cuckmq._runtime.sweeper import Sweeper
from cuckmq._runtime.tally import Tally
from cuckmq.context import Context
from cuckmq.errors import AttemptLost, ConfigurationError
from cuckmq.names import check_name
from cuckmq.outcome import Outcome
from cuckmq.protocol.exchange import Row
from cuckmq.pulled import PulledJob
from cuckmq.types import Secs, as_count, as_optional_secs, as_secs

STOP_SECS = 1.0
IDLE_SECS = 0.25


class Puller(Daemon):
    """Claims jobs of a context's definitions for you to run. Constructing it starts nothing::

        async with Puller(context, channels=["video"]) as puller:
            while job := await puller.claim():
                await job.finish(render(job.payload))

    To the queue it is a worker as any other. Work functions of the definitions are not called.

    Args:
        context: whose jobs.
        channels: which to serve; None for all.
        concurrency: how many jobs may be in hand at once; a claim beyond that waits.
        name: for people; by default the host.
        poll_secs: how often to look for jobs when somebody waits and no hint has come.
        heartbeat_secs: how often to tell the queue that this puller lives.
        lease_secs: how long the queue waits for that before it gives the jobs to others.

    Raises:
        ConfigurationError: an option is wrong.
    """

    def __init__(
        self,
        context: Context,
        *,
        channels: Sequence[str] | None = None,
        concurrency: int = 10,
        name: str | None = None,
        poll_secs: Secs = 1.5,
        heartbeat_secs: Secs = 2.5,
        lease_secs: Secs = 10.0,
    ) -> None:
        super().__init__()
        if isinstance(channels, str):
            raise ConfigurationError(f'channels is a list of names: write ["{channels}"]')
        self.context = context
        self.channels = None if channels is None else [check_name("channel", each) for each in channels]
        self.concurrency = as_count("concurrency", concurrency, minimum=1, maximum=10_000)
        self.name = check_name("worker", name if name is not None else socket.gethostname()[:200])
        self._poll_secs = as_secs("poll_secs", poll_secs, minimum=0.01)
        self._beat_secs = as_secs("heartbeat_secs", heartbeat_secs, minimum=0.05)
        self._lease_secs = as_secs("lease_secs", lease_secs, minimum=2 * self._beat_secs)
        self._talk: asyncio.Task[None] | None = None
        self._duties: list[DutyLoop] = []
        self._leave: list[Callable[[], None]] = []
        self._waiters: dict[int, tuple[Running, asyncio.Future[bool]]] = {}
        self._rows: dict[int, Row] = {}
        self._chronicle = Chronicle(context, self.name)
        self._make_parts()

    def _make_parts(self) -> None:
        self._stopping = asyncio.Event()
        self._desk = Desk()
        self._tally = Tally()
        self._scribe = Scribe(self.context)
        self._clerk = Clerk(self.context, self._tally)
        self._session = Session(
            self.context,
            name=self.name,
            channels=self.channels,
            concurrency=self.concurrency,
            lease_secs=self._lease_secs,
            on_registered=self._on_registered,
        )
        self._dispatcher = Dispatcher(
            self.context,
            self._session,
            self._desk,
            self._tally,
            name=self.name,
            channels=self.channels,
            concurrency=self.concurrency,
            poll_secs=self._poll_secs,
            idle_secs=IDLE_SECS,
            on_lost=self._chronicle.lose,
            appetite=HandAppetite(self._desk, self.concurrency),
            on_settled=self._on_settled,
        )
        self._ear = Ear(self._desk, self._dispatcher, lambda: self._heart.beat_now())  # noqa: PLW0108 - made next
        self._heart = Heart(
            self.context.database,
            beat_secs=self._beat_secs,
            lease_secs=self._lease_secs,
            snapshot=self._desk.snapshot,
            on_pulse=self._ear.from_thread(self._ear.on_pulse),
            on_silence=self._ear.from_thread(self._ear.on_silence),
        )

    @property
    def worker_id(self) -> int:
        """The id of this incarnation in the queue; 0 before start and between two incarnations."""
        return self._session.worker_id

    async def claim(self, wait_secs: Secs | None = None) -> PulledJob[Any, Any] | None:
        """Claim the next job, waiting for one. Several may wait at once.

        A job whose payload does not fit is failed as `invalid_payload` on the way, and not returned.

        Args:
            wait_secs: how long to wait; None for ever. It looks once at least, so 0 is for a look; while the
                database cannot be reached it waits for that.

        Returns:
            The job; None when none came in time, or the puller was stopped.

        Raises:
            RuntimeError: the puller was not started.
        """
        secs, since = as_optional_secs("wait_secs", wait_secs), time.monotonic()
        if self._talk is None:
            raise RuntimeError("this puller is not started: call start(), or use it in an async with block")
        take = asyncio.create_task(self._take())
        try:
            await self._wait_for(take, secs, since)
        except asyncio.CancelledError:
            if take.done() and not take.cancelled():
                self._let_go(take.result())
            raise
        finally:
            take.cancel()
        await asyncio.wait([take])
        return None if take.cancelled() else take.result()

    async def _wait_for(self, take: asyncio.Task[Any], secs: float | None, since: float) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        barren = asyncio.ensure_future(self._dispatcher.wait_until_barren(since))
        self._dispatcher.hint()
        try:
            done, _ = await asyncio.wait([take, stopping], timeout=secs, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                await asyncio.wait([take, stopping, barren], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            barren.cancel()

    async def _take(self) -> PulledJob[Any, Any]:
        while True:
            (row,) = cast(list[Row], await self._desk.take_slice())  # nobody dismisses us
            # A process that was frozen must not begin on a lease that may be over (see Lanes).
            try:
                while not self._heart.is_leased and self._is_ours(row):  # noqa: ASYNC110 - rare and short
                    await asyncio.sleep(DOUBT_SECS)
            except asyncio.CancelledError:
                self._desk.put_back_slice([row])
                raise
            job = self._receive(row) if self._is_ours(row) else None
            self._desk.changed.set()
            if job is not None:
                return job

    def _is_ours(self, row: Row) -> bool:
        return self._desk.in_hand.get(row.job_id) is row

    def _receive(self, row: Row) -> PulledJob[Any, Any] | None:
        definition = self.context.known[row.definition_id]
        attempt = make_attempt(self.context, row, definition, worker_id=self.worker_id, scribe=self._scribe)
        try:
            if row.payload is None:
                self._finish(row, conclude_expired(attempt))
                return None
            payload = decode(definition, row.payload)
        except Refused as error:
            self._finish(row, Ended(attempt, conclude_error(definition, attempt, error, 0.0), 0.0, error))
            return None
        running = Running(attempt, None, time.monotonic())
        self._desk.start(running)
        self._rows[id(running)] = row
        return PulledJob(
            definition, payload, running, self._settle, lambda: time.monotonic() - running.began_at
        )

    def _finish(self, row: Row, ended: Ended) -> None:
        self._desk.finish(ended)
        self._desk.finish_slice([row])

    def _let_go(self, job: PulledJob[Any, Any]) -> None:
        """Give back a job that nobody has seen."""
        running = self._desk.running.get(job.id)
        row = self._rows.pop(id(running), None)
        if row is not None and running is not None and self._is_ours(row):
            self._desk.stop(running, "stopping")
            self._finish(row, Ended(job.attempt, None, 0.0))

    async def _settle(self, running: Running, ended: Ended) -> None:
        attempt = running.attempt
        row = self._rows.pop(id(running), None)
        if row is None:
            raise RuntimeError(f"job {attempt.job_id} is not in your hands: you said what became of it")
        if attempt.ending in ("lost", "stopping") or not self._is_ours(row):
            if self._desk.running.get(attempt.job_id) is running:
                del self._desk.running[attempt.job_id]
            lost = _lost(attempt.job_id)
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
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters[id(attempt)] = (running, future)
        self._finish(row, ended)
        if not await future:
            raise _lost(attempt.job_id)
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
            self._finish(row, ended._replace(outcome=None))

    def _on_settled(self, ended: list[Ended], rows: list[Row]) -> None:
        lost = {row.job_id for row in rows if row.verdict == "lost"}
        for each in ended:
            _, future = self._waiters.pop(id(each.attempt), (None, None))
            is_heard = each.outcome is not None or each.attempt.ending == "stopping"
            if future is not None and not future.done():
                future.set_result(is_heard and each.attempt.job_id not in lost)

    def stop_claiming(self) -> None:
        """Claim nothing more: whoever waits gets None. What is in hand stays there."""
        self._stopping.set()
        self._dispatcher.stop_claiming()

    def hasten(self) -> None:
        """Nothing: stop() waits for no job."""

    async def _open(self) -> None:
        self._make_parts()
        self._ear.loop = self._scribe.loop = loop = asyncio.get_running_loop()
        await self._session.open()
        await self.context.recognize()
        self._leave = [
            self.context.listener.subscribe(self._ear.on_hint),
            self.context.wakes.subscribe(self._ear.on_wake),
        ]
        self._talk = loop.create_task(self._dispatcher.run(), name="cuckmq-dispatcher")
        rescuer = Rescuer(self.context, beat_secs=self._beat_secs, lease_secs=self._lease_secs)
        scribe = DutyLoop(self._scribe)
        self._scribe.on_notice = scribe.hasten
        self._duties = [DutyLoop(rescuer), DutyLoop(Sweeper(self.context)), DutyLoop(self._clerk), scribe]
        for duty in self._duties:
            duty.start()
        self._chronicle.start(is_paused=False)

    async def _close(self, *, is_hasty: bool) -> None:
        self.stop_claiming()
        for running in list(self._desk.running.values()):
            self._desk.stop(running, "stopping")
            await running.attempt.rollback(_lost(running.attempt.job_id))
        for leave in self._leave:
            leave()
        for duty in self._duties:
            await duty.stop()
        self._dispatcher.close()
        await take_leave(self._session, self._talk, STOP_SECS)
        await self._clerk.finish(STOP_SECS)
        await asyncio.to_thread(self._heart.stop, STOP_SECS)
        for _, future in self._waiters.values():
            if not future.done():
                future.set_result(False)
        self._waiters.clear()
        self._talk, self._duties, self._leave = None, [], []
        self._chronicle.stop()

    def _on_registered(self, worker_id: int) -> None:
        self._heart.start(worker_id)
        self._chronicle.register(worker_id)


def _lost(job_id: int) -> AttemptLost:
    return AttemptLost(
        f"job {job_id} is not yours any more: the queue has taken this puller for dead, or was stopped, and"
        " others may run the job; drop what you did for it"
    )
