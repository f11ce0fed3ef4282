"""The puller: claims jobs one at a time for those who run their own loop.

It is a worker without lanes. The same dispatcher talks with the queue, the same heart keeps the lease, and
the same desk stands between; but whoever calls claim() takes the place of a lane. So the appetite is as
many jobs as callers wait for, and what is laid down after its caller has given up goes back at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final, cast

from cuckmq._runtime.answers import Refused
from cuckmq._runtime.chronicle import Chronicle
from cuckmq._runtime.conclusion import conclude_error, conclude_expired, decode
from cuckmq._runtime.daemon import Daemon
from cuckmq._runtime.habits import Habits
from cuckmq._runtime.hand_appetite import HandAppetite
from cuckmq._runtime.handed import Handed
from cuckmq._runtime.lanes import DOUBT_SECS
from cuckmq._runtime.presence import Presence
from cuckmq._runtime.running import Ended, Running
from cuckmq.attempt import Attempt
from cuckmq.context import Context
from cuckmq.protocol.exchange import Row
from cuckmq.pulled import PulledJob
from cuckmq.types import Secs, as_optional_secs

IDLE_SECS: Final = 0.25


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
        self._habits = Habits.checked(
            name=name,
            channels=channels,
            concurrency=concurrency,
            poll_secs=poll_secs,
            heartbeat_secs=heartbeat_secs,
            lease_secs=lease_secs,
            idle_secs=IDLE_SECS,
        )
        self.context = context
        self.name = self._habits.name
        self.channels = self._habits.channels
        self.concurrency = self._habits.concurrency
        self._chronicle = Chronicle(context, self.name)
        self._make_parts()

    def _make_parts(self) -> None:
        self._stopping = asyncio.Event()
        self._presence = Presence(
            self.context,
            self._habits,
            self._chronicle,
            make_appetite=lambda desk: HandAppetite(desk, self.concurrency),
            on_settled=lambda ended, rows: self._handed.heard(ended, rows),  # noqa: PLW0108 - made next
        )
        self._desk, self._dispatcher = self._presence.desk, self._presence.dispatcher
        self._handed = Handed(self._desk, self._dispatcher, self._presence.scribe)

    @property
    def worker_id(self) -> int:
        """The id of this incarnation in the queue; 0 before start and between two incarnations."""
        return self._presence.session.worker_id

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
        if self._presence.talk is None:
            raise RuntimeError("this puller is not started: call start(), or use it in an async with block")
        take = asyncio.create_task(self._take())
        try:
            await self._wait_for(take, secs, since)
            take.cancel()
            await asyncio.wait([take])  # that takes a turn of the loop, in which a cancellation may come, too
        except asyncio.CancelledError:
            if take.done() and not take.cancelled():
                self._handed.take_back(take.result().attempt)
            raise
        finally:
            take.cancel()
        return None if take.cancelled() else take.result()

    async def _wait_for(self, take: asyncio.Task[Any], secs: float | None, since: float) -> None:
        stopping = asyncio.ensure_future(self._stopping.wait())
        barren = asyncio.ensure_future(self._dispatcher.wait_until_barren(since))
        self._dispatcher.look_now()
        try:
            done, _ = await asyncio.wait([take, stopping], timeout=secs, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                await asyncio.wait([take, stopping, barren], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            barren.cancel()

    async def _take(self) -> PulledJob[Any, Any]:
        heart = self._presence.heart
        while True:
            (row,) = cast(list[Row], await self._desk.take_slice())  # nobody dismisses us
            # A process that was frozen must not begin on a lease that may be over (see Lanes).
            try:
                while not heart.is_leased() and self._handed.is_ours(row):  # noqa: ASYNC110 - rare and short
                    await asyncio.sleep(DOUBT_SECS)
            except asyncio.CancelledError:
                self._desk.put_back_slice([row])
                raise
            job = self._receive(row) if self._handed.is_ours(row) else None
            self._desk.changed.set()
            if job is not None:
                return job

    def _receive(self, row: Row) -> PulledJob[Any, Any] | None:
        definition = self.context.known[row.definition_id]
        attempt = Attempt(
            row,
            definition.name,
            worker_id=self.worker_id,
            database=self.context.database,
            scribe=self._presence.scribe,
        )
        try:
            if row.payload is None:
                self._handed.finish(row, conclude_expired(attempt))
                return None
            payload = decode(definition, row.payload)
        except Refused as error:
            self._handed.finish(
                row, Ended(attempt, conclude_error(definition, attempt, error, 0.0), 0.0, error)
            )
            return None
        running = Running(attempt, None, time.monotonic())
        self._handed.hand_out(running, row)
        return PulledJob(
            definition, payload, running, self._handed.settle, lambda: time.monotonic() - running.began_at
        )

    def stop_claiming(self) -> None:
        """Claim nothing more: whoever waits gets None. What is in hand stays there."""
        self._stopping.set()
        self._dispatcher.stop_claiming()

    def hasten(self) -> None:
        """Nothing: stop() waits for no job."""

    async def _connect(self) -> None:
        self._make_parts()
        await self._presence.connect()

    async def _begin(self) -> None:
        self._presence.begin()
        self._presence.attend()
        self._chronicle.start(is_paused=False)

    async def _close(self, *, is_hasty: bool) -> None:
        self.stop_claiming()
        await self._handed.recall()
        await self._presence.close()
        self._handed.close()
        self._chronicle.stop()
