"""SIGTERM, as the end of a block.

A daemon is used as `async with`. While the block runs, the first SIGTERM tells every daemon of this
event loop to claim nothing more and cancels the block, as if its work were done: daemons finish what
they have, and the program goes on after the block. A second signal makes them let go at once. Tasks side
by side, each with daemons of its own, each have a block, and each ends so (see block.py).

The first daemon that is entered sets the handling up, and the last one that is left takes it down. A program
that handles the signal itself (a web server, a test runner) keeps its own way: nothing is set up over a
handler that is there already.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Sequence
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from cuckmq._runtime.block import Block, Stage


class Stoppable(Protocol):
    """What a signal speaks to."""

    def stop_claiming(self) -> None:
        """Take on nothing more."""
        ...

    def hasten(self) -> None:
        """Let go of what is not finished."""
        ...


class Scope:
    """The daemons of one event loop, and the blocks they are used in."""

    def __init__(self) -> None:
        self._blocks: dict[Stoppable, Block] = {}
        self._signals: list[signal.Signals] = []
        self._num_heard = 0
        self.num_signals = 0

    def join(self, daemon: Stoppable) -> None:
        """Have this daemon hear signals too. Its block begins, and it is about to start."""
        task = asyncio.current_task()
        block = next((each for each in self._blocks.values() if each.is_of(task)), None) or Block(task)
        self._blocks[daemon] = block
        block.at(daemon, Stage.STARTING)

    def opened(self, daemon: Stoppable) -> None:
        """Note that the daemon has started, and its block is at work."""
        if self.num_signals:
            daemon.stop_claiming()
        self._blocks[daemon].at(daemon, Stage.OPEN)

    def left(self, daemon: Stoppable) -> None:
        """Note that the block is over: from now on the daemon is stopped, and nothing may cut that off."""
        self._blocks[daemon].at(daemon, Stage.LEAVING)

    def leave(self, daemon: Stoppable, error: BaseException | None) -> bool:
        """Take the daemon out. Tells whether the error was the signal's, and is dealt with."""
        block = self._blocks.pop(daemon)
        block.at(daemon, None)
        return block.is_over and block.absorb(error)

    @property
    def is_over(self) -> bool:
        """Whether the last daemon has been left."""
        return not self._blocks

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

    def ask(self, num_signals: int) -> None:
        """Do what so many signals ask for. What was done already is not done again."""
        while self.num_signals < num_signals:
            self.num_signals += 1
            for daemon in list(self._blocks):
                if self.num_signals == 1:
                    daemon.stop_claiming()
                else:
                    daemon.hasten()
            for block in set(self._blocks.values()):
                block.signal()

    def _on_signal(self) -> None:
        self._num_heard += 1
        self.ask(self._num_heard)


_scopes: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Scope]] = WeakKeyDictionary()


def enter_scope(daemon: Stoppable, *forced: signal.Signals) -> Scope:
    """Join the scope of the running loop, or open it. Signals that are forced are handled in any case."""
    loop = asyncio.get_running_loop()
    scope = _scopes.get(loop)
    if scope is None:
        scope = _scopes[loop] = Scope()
        scope.listen([signal.SIGTERM], by_force=False)
    scope.listen(forced, by_force=True)
    scope.join(daemon)
    return scope


def leave_scope(scope: Scope, daemon: Stoppable, error: BaseException | None) -> bool:
    """Leave it; the last one closes it. Returns whether the error was the signal's, and is dealt with."""
    is_absorbed = scope.leave(daemon, error)
    if scope.is_over:
        _scopes.pop(asyncio.get_running_loop(), None)
        scope.close()
    return is_absorbed
