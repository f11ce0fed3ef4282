"""What ties a worker process to its supervisor: a pair of sockets, an end in the hand of each.

The supervisor asks by it for what a signal asks for, and the worker says by it that it is ready. A signal
would not do: Ctrl-C, or a service manager, may send one to both, and the worker would take the supervisor's
for a second one and let go of its work. What is asked here counts with the signals, not on top of them. And
what is asked before the worker can listen waits for it, where a signal would kill it.

When the supervisor is gone, however it went, the worker finds the leash torn, and ends as if it were asked
to: nobody would end it otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final

from cuckmq.cli.logs import logger

READY: Final = b"r"


class Leash:
    """The worker's end.

    Args:
        number: of the file descriptor that the supervisor has handed down.
    """

    def __init__(self, number: int) -> None:
        os.set_inheritable(number, False)
        self._socket = socket.socket(fileno=number)
        self._socket.setblocking(False)

    def hold(self, ask: Callable[[int], None]) -> None:
        """Have told how many signals what is asked amounts to: 1 to finish what is in hand, 2 to let go."""
        asyncio.get_running_loop().add_reader(self._socket, self._hear, ask)

    def tell_ready(self) -> None:
        """Say that the worker works."""
        with contextlib.suppress(OSError):
            self._socket.send(READY)

    def drop(self) -> None:
        """Hear nothing more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _hear(self, ask: Callable[[int], None]) -> None:
        try:
            asked = self._socket.recv(16)
        except BlockingIOError:
            return
        except OSError:
            asked = b""
        if not asked:
            asyncio.get_running_loop().remove_reader(self._socket)
            logger.warning("the supervisor is gone")
        ask(max(asked, default=1))


class LeashHolder:
    """The supervisor's end.

    Attributes:
        number: of the other end's file descriptor, to be handed down.
        is_ready: whether the worker has said that it works. Known once `heard` is set.
        heard: set when the worker has said so, or is gone.
    """

    def __init__(self) -> None:
        self._socket, self._other = socket.socketpair()
        self._socket.setblocking(False)
        self.number = self._other.fileno()
        self.is_ready = False
        self.heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def hand_down(self) -> None:
        """The worker has its end: keep none of it here, or its end would never be heard."""
        self._other.close()

    def ask(self, num_signals: int) -> None:
        """Ask for what so many signals ask for."""
        with contextlib.suppress(OSError):
            self._socket.send(bytes([num_signals]))

    def drop(self) -> None:
        """Let go."""
        self._silence()
        self._other.close()
        self._socket.close()

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self.is_ready = self._socket.recv(1) == READY
        self._silence()

    def _silence(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self.heard.set()
