"""SIGTERM, as the end of a block.

A daemon is used as `async with`. While the block runs, the first SIGTERM tells every daemon of this
event loop to claim nothing more and cancels the block, as if its work were done: daemons finish what
they have, and the program goes on after the block. A second signal makes them let go at once.

The outermost daemon owns the handling: it sets it up when it is entered and takes it down when it
is left, and it is the one that ends the cancellation. A program that handles the signal itself (a
web server, a test runner) keeps its own way: nothing is set up over a handler that is there already.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol
from weakref import WeakKeyDictionary

INSIST_SECS: Final = 2.0


class Stoppable(Protocol):
    """What a signal speaks to."""

    def stop_claiming(self) -> None:
        """Take on nothing more."""
        ...

    def hasten(self) -> None:
        """Let go of what is not finished."""
        ...


class Scope:
    """The daemons of one event loop, and the block they are used in."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._daemons: list[Stoppable] = []
        self._signals: list[signal.Signals] = []
        self._insisting: asyncio.TimerHandle | None = None
        self._num_cancels = 0
        self._num_heard = 0
        self.num_signals = 0

    def join(self, daemon: Stoppable) -> None:
        """Have this daemon hear signals too."""
        self._daemons.append(daemon)

    def leave(self, daemon: Stoppable) -> bool:
        """Take the daemon out. True when it was the last, and the scope is over."""
        self._daemons.remove(daemon)
        return not self._daemons

    def block_left(self) -> None:
        """Note that the block is over: from now on daemons are stopped, and nothing may cut that off."""
        if self._insisting is not None:
            self._insisting.cancel()

    def listen(self, signals: Sequence[signal.Signals], *, by_force: bool) -> None:
        """Handle signals, those that nobody else handles; all of them if by force."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        for each in signals:
            if each in self._signals or not (by_force or signal.getsignal(each) is signal.SIG_DFL):
                continue
            loop.add_signal_handler(each, self._on_signal)
            self._signals.append(each)

    def close(self) -> None:
        """Handle nothing any more."""
        loop = asyncio.get_running_loop()
        for each in self._signals:
            loop.remove_signal_handler(each)
        self._signals.clear()

    def absorb(self, error: BaseException | None) -> bool:
        """End the cancellation that a signal began. False when it was not ours to end."""
        if not self.num_signals or not isinstance(error, asyncio.CancelledError) or self._task is None:
            return False
        remaining = self._task.cancelling()
        for _ in range(self._num_cancels):
            remaining = self._task.uncancel()
        return remaining == 0

    def ask(self, num_signals: int) -> None:
        """Do what so many signals ask for. What was done already is not done again."""
        while self.num_signals < num_signals:
            self.num_signals += 1
            for daemon in self._daemons:
                verb: Callable[[], None] = daemon.stop_claiming if self.num_signals == 1 else daemon.hasten
                verb()
            if self.num_signals == 1:
                self._cancel_block()

    def _on_signal(self) -> None:
        self._num_heard += 1
        self.ask(self._num_heard)

    def _cancel_block(self) -> None:
        """Cancel the block, and once more as long as it goes on.

        Before Python 3.12 `asyncio.wait_for`, which drivers use too, can swallow a cancellation that
        comes in the moment when what it waits for is done.
        """
        if self._task is not None:
            self._num_cancels += 1
            self._task.cancel()
            self._insisting = asyncio.get_running_loop().call_later(INSIST_SECS, self._cancel_block)


_scopes: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Scope]] = WeakKeyDictionary()


def enter_scope(daemon: Stoppable) -> Scope:
    """Join the scope of the running loop, or open it."""
    loop = asyncio.get_running_loop()
    scope = _scopes.get(loop)
    if scope is None:
        scope = _scopes[loop] = Scope()
        scope.listen([signal.SIGTERM], by_force=False)
    scope.join(daemon)
    return scope


def leave_scope(scope: Scope, daemon: Stoppable, error: BaseException | None) -> bool:
    """Leave it; the last one closes it. Returns whether the error was the signal's, and is dealt with."""
    if not scope.leave(daemon):
        return False
    _scopes.pop(asyncio.get_running_loop(), None)
    scope.close()
    return scope.absorb(error)
