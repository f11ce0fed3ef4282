"""The worker: claims jobs and runs them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

from cuckmq._runtime.appetite import Appetite
from cuckmq._runtime.chronicle import Chronicle
from cuckmq._runtime.daemon import Daemon
from cuckmq._runtime.duty import DutyLoop
from cuckmq._runtime.executor import Executor
from cuckmq._runtime.farewell import drain
from cuckmq._runtime.habits import Habits
from cuckmq._runtime.herald import Herald
from cuckmq._runtime.lanes import Lanes
from cuckmq._runtime.own_state import OwnState
from cuckmq._runtime.presence import STOP_SECS, Presence
from cuckmq._runtime.processes import Processes
from cuckmq._runtime.scout import Scout
from cuckmq._runtime.serving import named_channels
from cuckmq._runtime.threads import Threads
from cuckmq._runtime.waiting import first_of, until_ended
from cuckmq._runtime.warden import Warden
from cuckmq.context import Context
from cuckmq.types import Secs, as_limit, as_secs


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
        idle_secs: how long it must have been idle before the event WorkerIdle is told.
        child_ping_secs: how long a process that runs a job may give no sign of life before it is killed.
        max_jobs_per_child: how many jobs one process runs before another takes its place; None for no limit.

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
        idle_secs: Secs = 0.25,
        child_ping_secs: Secs = 60.0,
        max_jobs_per_child: int | None = None,
    ) -> None:
        super().__init__()
        self._habits = Habits.checked(
            name=name,
            channels=channels,
            concurrency=concurrency,
            poll_secs=poll_secs,
            heartbeat_secs=heartbeat_secs,
            lease_secs=lease_secs,
            idle_secs=idle_secs,
        )
        self._shutdown_secs = as_secs("shutdown_secs", shutdown_secs)
        self._ping_secs = as_secs("child_ping_secs", child_ping_secs, minimum=0.1)
        self._max_jobs_per_child = as_limit("max_jobs_per_child", max_jobs_per_child, minimum=1)
        self.context = context
        self.name = self._habits.name
        self.channels = self._habits.channels
        self.concurrency = self._habits.concurrency
        self._hasty = asyncio.Event()
        self._is_paused = False
        self._chronicle = Chronicle(context, self.name)
        self._resumed = asyncio.Event()
        self._make_parts()

    def _make_parts(self) -> None:
        self._presence = Presence(
            self.context,
            replace(self._habits, channels=self.channels),
            self._chronicle,
            make_appetite=lambda _: Appetite(self.concurrency),
        )
        self._desk, self._dispatcher = self._presence.desk, self._presence.dispatcher
        self._dispatcher.is_paused = self._is_paused
        self._state = OwnState(self.context)
        self._threads = Threads(f"cuckmq-{self.name}")
        self._processes = Processes(
            self.concurrency,
            f"cuckmq-{self.name}",
            ping_secs=self._ping_secs,
            max_jobs=self._max_jobs_per_child,
            on_storm=self.break_down,
        )
        executor = Executor(
            self.context,
            self._desk,
            threads=self._threads,
            processes=self._processes,
            state=self._state,
            scribe=self._presence.scribe,
            session=self._presence.session,
        )
        self._lanes = Lanes(
            self.context,
            self._desk,
            executor,
            is_leased=self._presence.heart.is_leased,
            is_tended=self._presence.is_tended,
        )

    @property
    def worker_id(self) -> int:
        """The id of this incarnation in the queue; 0 before start and between two incarnations."""
        return self._presence.session.worker_id

    @property
    def last_claim_secs(self) -> float | None:
        """Seconds since this worker last asked for jobs with success; None before the first time."""
        at = self._dispatcher.claimed_at
        return None if at is None else time.monotonic() - at

    @property
    def is_paused(self) -> bool:
        """Whether this worker claims nothing until resume()."""
        return self._is_paused

    async def pause(self, *, wait: bool = False) -> None:
        """Claim nothing more until resume(); what is in hand goes on, and so do beats.

        Returns when no claim is under way: no job begins that was not in hand by then. Twice is once. It
        holds across stop() and start(), too: a worker paused before it is started starts paused.

        Args:
            wait: return only when nothing is in hand any more, or resume() or stop() came.
        """
        self._is_paused = True
        self._resumed.clear()
        await self._dispatcher.pause()
        self._chronicle.pause()
        if wait:
            await first_of(self._desk.is_clear, self._resumed)

    def resume(self) -> None:
        """Claim again, beginning at once. Twice is once."""
        self._is_paused = False
        self._resumed.set()
        self._dispatcher.resume()
        self._chronicle.resume()

    async def wait_until_idle(self) -> None:
        """Wait until nothing is in hand, and a look that began after this call has brought nothing.

        So whatever this worker could have run when it was called has been run. Jobs that are scheduled for
        later, or whose group another worker serves, do not count. A paused worker is idle when nothing
        is in hand. Returns also when the worker stops.

        Raises:
            RuntimeError: the worker was not started.
        """
        if self._presence.talk is None:
            raise RuntimeError("this worker is not started: call start(), or use it in an async with block")
        await until_ended(self._dispatcher.wait_until_idle(), self._presence.talk)

    async def add_channel(self, name: str) -> None:
        """Serve one more channel. One that is served already changes nothing.

        Returns when the queue knows. It holds across stop() and start(), too.

        Raises:
            ConfigurationError: the name cannot be one, or the worker serves all channels.
        """
        channels = named_channels(self.channels, "add", name)
        if name not in channels:
            await self._serve([*channels, name])

    async def remove_channel(self, name: str) -> None:
        """Serve a channel no more. One that is not served changes nothing.

        What was claimed from it and has not started goes back, with no try counted; what runs goes on.
        Returns when both is so. It holds across stop() and start(), too.

        Raises:
            ConfigurationError: the name cannot be one, or the worker serves all channels.
        """
        channels = named_channels(self.channels, "remove", name)
        if name in channels:
            await self._serve([each for each in channels if each != name])

    async def _serve(self, channels: list[str]) -> None:
        self.channels = channels
        if self._presence.talk is not None:
            await until_ended(self._dispatcher.serve(channels), self._presence.talk)

    def stop_claiming(self) -> None:
        """Claim nothing more; what is in hand goes on."""
        self._dispatcher.stop_claiming()

    def hasten(self) -> None:
        """Let go of what is in hand: it goes back to the queue, and no try is counted."""
        self._hasty.set()

    async def _connect(self) -> None:
        self._hasty.clear()
        self._make_parts()
        await self._state.set_up()
        await self._presence.connect()

    async def _begin(self) -> None:
        self._presence.begin()
        self._lanes.start(self.concurrency)
        self._presence.attend(
            DutyLoop(Scout(self.context, self._channel_ids, self._presence.company)),
            self._make_herald(),
            DutyLoop(Warden(self._processes, ping_secs=self._ping_secs)),
        )
        self._chronicle.start(is_paused=self._is_paused)

    def _make_herald(self) -> DutyLoop:
        herald = Herald(
            self.context,
            worker=self.name,
            worker_id=lambda: self.worker_id,
            channel_ids=self._channel_ids,
        )
        loop = DutyLoop(herald)
        self._presence.ear.on_destroyed = loop.hasten
        return loop

    def _channel_ids(self) -> list[int] | None:
        return self._presence.session.channel_ids

    async def _close(self, *, is_hasty: bool) -> None:
        if not is_hasty and not self.is_signalled:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dispatcher.answer_hints(), STOP_SECS)
        self._dispatcher.stop_claiming()
        if not is_hasty:
            await drain(self._desk, self._hasty, self._shutdown_secs)
        await self._lanes.let_go(STOP_SECS)
        await self._presence.close()
        await self._lanes.stop(STOP_SECS)
        self._desk.abandon("stopping")
        self._threads.close()
        await asyncio.to_thread(self._processes.close)
        await self._state.tear_down()
        self._chronicle.stop()
