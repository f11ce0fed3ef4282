"""What worker and orchestrator have in common: how a daemon begins and ends."""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from cuckmq._runtime.signals import Scope, enter_scope, leave_scope
from cuckmq.context import Context
from cuckmq.errors import TooManyDeaths
from cuckmq.log import get_log

_logger = get_log("cuckmq.worker")


class Daemon(ABC):
    """Constructed it does nothing; started it works; stopped it has nothing left running.

    `stop()` may be called before `start()`, and twice. A stopped daemon can be started again.

    Attributes:
        breakdown: why it has stopped by itself; None if it has not.
    """

    context: Context

    def __init__(self) -> None:
        self._is_started = False
        self._scope: Scope | None = None
        self._life = asyncio.Lock()
        self._ended = asyncio.Event()
        self._last_act: asyncio.Task[None] | None = None
        self.breakdown: str | None = None

    async def start(self) -> None:
        """Begin to work. Returns when ready; raises what stands in the way. Twice is once."""
        async with self._life:
            if self._is_started:
                return
            self._ended.clear()
            self.breakdown = None
            has_joined = False
            try:
                await self._connect()
                has_joined = True
                await self.context.feed.join()
                await self._begin()
            except BaseException:
                await self._close(is_hasty=True)
                if has_joined:
                    await self.context.feed.leave()
                raise
            self._is_started = True

    async def stop(self) -> None:
        """Take on nothing more, finish what is in hand, and end."""
        async with self._life:
            if self._is_started:
                await self._close(is_hasty=False)
                self._is_started = False
                await self.context.feed.leave()
                self._ended.set()

    async def run(self) -> None:
        """Start, work until SIGTERM, SIGINT, cancellation or stop(), and stop.

        The first signal lets the work in hand be finished, the second lets go of it at once.

        Raises:
            TooManyDeaths: a worker has stopped itself.
        """
        if not await self._enter(signal.SIGTERM, signal.SIGINT):
            return
        try:
            await self._ended.wait()
        except BaseException as error:
            if not await self._leave(error):
                raise
        else:
            await self._leave(None)
        if self.breakdown is not None:
            raise TooManyDeaths(f"it stopped itself: {self.breakdown}; the errors of the jobs tell how")

    def run_sync(self) -> None:
        """Do what run() does, in an event loop of its own."""
        asyncio.run(self.run())

    async def __aenter__(self) -> Self:
        if not await self._enter():
            raise asyncio.CancelledError  # the block cannot be skipped
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        return await self._leave(error)

    async def _enter(self, *forced: signal.Signals) -> bool:
        """Start, and hear signals, those during the start as well. False when they broke it off."""
        self._scope = scope = enter_scope(self, *forced)
        try:
            await self.start()
        except BaseException as error:
            self._scope = None
            if not leave_scope(scope, self, error):
                raise
            return False
        scope.opened(self)
        return True

    async def _leave(self, error: BaseException | None) -> bool:
        """Stop. Tells whether the error was a signal's, and is dealt with."""
        if self._scope is not None:
            self._scope.left(self)
        try:
            await self.stop()
        finally:
            scope, self._scope = self._scope, None
            is_absorbed = scope is not None and leave_scope(scope, self, error)
        return is_absorbed

    @property
    def is_signalled(self) -> bool:
        """Whether a signal has asked this daemon to end."""
        return self._scope is not None and self._scope.num_signals > 0

    def break_down(self, reason: str) -> None:
        """Stop by oneself, since going on would do harm. run() raises the reason."""
        if self.breakdown is None:
            self.breakdown = reason
            _logger.critical("a %s stops itself: %s", type(self).__name__.lower(), reason)
            self.stop_claiming()
            self._last_act = asyncio.get_running_loop().create_task(self.stop())

    @abstractmethod
    async def _connect(self) -> None:
        """Make what is needed, and reach the queue. Nothing is worked on yet, and no event told."""

    @abstractmethod
    async def _begin(self) -> None:
        """Begin to work. Those who subscribe to events are heard of."""

    @abstractmethod
    async def _close(self, *, is_hasty: bool) -> None:
        """End whatever was begun, also after a _connect() or _begin() that broke off."""

    @abstractmethod
    def stop_claiming(self) -> None:
        """Take on nothing more; what is in hand goes on."""

    @abstractmethod
    def hasten(self) -> None:
        """Let go of what is in hand: it goes back to the queue, and no try is counted."""
