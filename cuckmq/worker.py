"""The worker: claims jobs and runs them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, ParamSpec

import psycopg

from cuckmq._runtime.daemon import Daemon
from cuckmq._runtime.desk import Desk, Running
from cuckmq._runtime.dispatcher import Dispatcher
from cuckmq._runtime.duty import DutyLoop
from cuckmq._runtime.executor import Executor
from cuckmq._runtime.heart import Heart
from cuckmq._runtime.rescuer import Rescuer
from cuckmq._runtime.scout import Scout
from cuckmq._runtime.threads import Threads
from cuckmq.context import Context
from cuckmq.database.listen import Hint
from cuckmq.errors import ConfigurationError, CuckmqError
from cuckmq.names import check_name
from cuckmq.protocol.exchange import Row
from cuckmq.protocol.workers import Pulse
from cuckmq.types import Secs, as_count, as_secs

_logger = logging.getLogger("cuckmq.worker")

P = ParamSpec("P")

FAREWELL_SECS: Final = 3.0
STOP_SECS: Final = 1.0


class Worker(Daemon):
    """Runs jobs of a context's definitions. Constructing it starts nothing::

        async with Worker(context, concurrency=10):
            ...

        await Worker(context, channels=["mail"]).run()  # until SIGTERM

    A worker claims only jobs whose definitions its context has. It finds dead workers and takes their
    jobs over, so it needs no orchestrator for that.

    It opens two connections of its own and, with the others of its context, one that listens.

    Args:
        context: whose jobs.
        channels: which to serve; None for all.
        concurrency: how many jobs to run at once. Async ones share the event loop, sync ones get threads.
        name: for people; by default host and number.
        poll_secs: how often to look for jobs when nothing is going on and no hint has come.
        heartbeat_secs: how often to tell the queue that this worker lives.
        lease_secs: how long the queue waits for that before it gives the jobs to others.
        shutdown_secs: how long stop() lets jobs go on before it lets go of them.

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
        shutdown_secs: Secs = 30.0,
    ) -> None:
        super().__init__()
        if isinstance(channels, str):
            raise ConfigurationError(f'channels is a list of names: write ["{channels}"]')
        if channels is not None and not isinstance(channels, Sequence):
            raise ConfigurationError(f"channels is a list of names, not {channels!r}")
        self.context = context
        self.channels = None if channels is None else [check_name("channel", each) for each in channels]
        self.concurrency = as_count("concurrency", concurrency, minimum=1, maximum=10_000)
        self.name = check_name("worker", name if name is not None else socket.gethostname()[:200])
        self._poll_secs = as_secs("poll_secs", poll_secs, minimum=0.01)
        self._beat_secs = as_secs("heartbeat_secs", heartbeat_secs, minimum=0.05)
        self._lease_secs = as_secs("lease_secs", lease_secs, minimum=0.2)
        self._shutdown_secs = as_secs("shutdown_secs", shutdown_secs)
        if self._lease_secs < 2 * self._beat_secs:
            raise ConfigurationError(
                f"lease_secs is {self._lease_secs:g}, less than two heartbeats of {self._beat_secs:g}: "
                "one late beat would cost the worker its jobs"
            )
        self._is_letting_go = False
        self._hasty = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._duties: list[DutyLoop] = []
        self._leave: list[Callable[[], None]] = []
        self._make_parts()

    def _make_parts(self) -> None:
        self._desk = Desk()
        self._threads = Threads(self.concurrency, f"cuckmq-{self.name}")
        self._dispatcher = Dispatcher(
            self.context,
            self._desk,
            name=self.name,
            channels=self.channels,
            concurrency=self.concurrency,
            poll_secs=self._poll_secs,
            lease_secs=self._lease_secs,
            on_registered=self._on_registered,
        )
        self._executor = Executor(self.context, self._desk, self._threads, lambda: self._dispatcher.worker_id)
        self._heart = Heart(
            self.context.database,
            beat_secs=self._beat_secs,
            lease_secs=self._lease_secs,
            snapshot=self._desk.snapshot,
            on_pulse=self._from_heart(self._on_pulse),
            on_silence=self._from_heart(self._on_silence),
        )

    @property
    def worker_id(self) -> int:
        """The id of this incarnation in the queue; 0 before start and between two incarnations."""
        return self._dispatcher.worker_id

    @property
    def last_claim_secs(self) -> float | None:
        """Seconds since this worker last asked for jobs with success; None before the first time."""
        at = self._dispatcher.claimed_at
        return None if at is None else time.monotonic() - at

    def stop_claiming(self) -> None:
        """Claim nothing more; what is in hand goes on."""
        self._dispatcher.stop_claiming()

    def hasten(self) -> None:
        """Let go of what is in hand: it goes back to the queue, and no try is counted."""
        self._hasty.set()

    async def _open(self) -> None:
        self._is_letting_go = False
        self._hasty.clear()
        self._loop = loop = asyncio.get_running_loop()
        self._make_parts()
        await self._dispatcher.open()
        await self.context.recognize()
        self._leave = [
            self.context.listener.subscribe(self._on_hint),
            self.context.wakes.subscribe(lambda channel: self._dispatcher.hint()),
        ]
        self._tasks = [loop.create_task(self._dispatcher.run(), name="cuckmq-dispatcher")]
        self._tasks += [
            loop.create_task(self._lane(), name=f"cuckmq-lane-{number}") for number in range(self.concurrency)
        ]
        self._duties = [
            DutyLoop(Rescuer(self.context, beat_secs=self._beat_secs, lease_secs=self._lease_secs)),
            DutyLoop(Scout(self.context, lambda: self._dispatcher.channel_ids)),
        ]
        for duty in self._duties:
            duty.start()

    async def _close(self, *, is_hasty: bool) -> None:
        if not is_hasty and not self.is_signalled:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dispatcher.answer_hints(), STOP_SECS)
        self._dispatcher.stop_claiming()
        if not is_hasty:
            await self._drain()
        await self._let_go()
        for leave in self._leave:
            leave()
        for duty in self._duties:
            await duty.stop()
        await self._take_leave()
        await asyncio.to_thread(self._heart.stop, STOP_SECS)
        self._threads.close()
        self._tasks, self._duties, self._leave = [], [], []

    async def _drain(self) -> None:
        """Wait until nothing is in hand, the time is up, or a second signal came."""
        deadline = time.monotonic() + self._shutdown_secs
        while self._desk.in_hand and not self._hasty.is_set() and time.monotonic() < deadline:
            waits = [asyncio.ensure_future(each.wait()) for each in (self._desk.is_clear, self._hasty)]
            await asyncio.wait(
                waits, timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED
            )
            for wait in waits:
                wait.cancel()

    async def _let_go(self) -> None:
        """Stop what still runs: it goes back to the queue."""
        self._is_letting_go = True
        for running in list(self._desk.running.values()):
            self._desk.stop(running, "stopping")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._desk.is_still.wait(), STOP_SECS)
        for running in list(self._desk.running.values()):
            _logger.warning("job %s does not stop when told; it is left behind", running.attempt.job_id)

    async def _take_leave(self) -> None:
        """Give the last outcomes and retire, if the database can be reached; else the lease will end."""
        self._dispatcher.close()
        try:
            async with asyncio.timeout(FAREWELL_SECS):
                if self._tasks:
                    await asyncio.wait(self._tasks[:1])
                await self._dispatcher.retire()
        except (psycopg.Error, OSError, TimeoutError, CuckmqError) as error:
            _logger.warning("could not take leave of the queue, which will notice by itself: %s", error)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECS)
        await self._dispatcher.disconnect()

    async def _lane(self) -> None:
        """Take slices and run them, one job after the other, until the worker closes."""
        while True:
            try:
                rows = await self._desk.take_slice()
                for row in rows:
                    if self._is_still_ours(row):
                        await self._executor.run(row, self.context.known[row.definition_id])
                self._desk.finish_slice(rows)
            except asyncio.CancelledError:
                # An attempt was told to stop when it had just ended: that was not meant for the lane.
                task = asyncio.current_task()
                if self._is_letting_go or task is None:
                    raise
                while task.cancelling():
                    task.uncancel()

    def _is_still_ours(self, row: Row) -> bool:
        return not self._is_letting_go and self._desk.in_hand.get(row.job_id) == row.attempt

    def _on_registered(self, worker_id: int) -> None:
        self._heart.start(worker_id)

    def _on_hint(self, hint: Hint) -> None:
        word, number = hint
        if word == "cancel":
            if number in self._desk.running:
                self._heart.beat_now()
        elif self._dispatcher.serves(number) or word == "connected":
            self._dispatcher.hint()

    def _on_pulse(self, worker_id: int, pulse: Pulse, asked: dict[int, Running]) -> None:
        if worker_id != self._dispatcher.worker_id:
            return
        if not pulse.is_alive:
            _logger.warning("worker %s (%s) was taken for dead; going on as a new one", worker_id, self.name)
            self._dispatcher.lose()
            return
        for job_ids, ending in (
            (pulse.lost_job_ids, "lost"),
            (pulse.cancelled_job_ids, "cancelled"),
        ):
            for job_id in job_ids:
                running = self._desk.running.get(job_id)
                # Not by its number: a job that was snoozed meanwhile runs again under the same one.
                if running is not None and running is asked[job_id]:
                    self._desk.stop(running, ending)

    def _on_silence(self, worker_id: int) -> None:
        if worker_id == self._dispatcher.worker_id:
            self._dispatcher.lose()

    def _from_heart(self, function: Callable[P, None]) -> Callable[P, None]:
        """Have the heart's thread call a function on the worker's event loop."""

        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            loop = self._loop
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(lambda: function(*args, **kwargs))

        return call
