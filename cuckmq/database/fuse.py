"""A fuse: who asks over and over waits no longer for an answer than makes sense, and asks again.

TCP tells of a peer that is gone, in seconds. It tells of nothing where somebody between goes on to
acknowledge what we send, and passes nothing on: a load balancer whose way to the server fell silent, a
tunnel, a proxy. There a statement may wait for ever, and with it a duty that nobody else may have. So each
who asks over and over has a fuse. When an answer is overdue the connection is cut (see connect.cut, and why
nothing is cancelled: that would ask the network that is silent), the asker gets an error, and tries again on
another.

What is overdue cannot be known. An answer that is on its way, through a wire however narrow, is not, nor is a
question that still leaves: the kernel knows when something last moved. But a statement may be slow with
reason: a batch on a slow disk, a table that somebody has locked. A limit that always struck before such a one
has ended would mean that it is never done, and what was cut off would pile up on the server. So the fuse
learns. Each time it blows it waits twice as long the next time, up to MAX_SECS; after an answer, twice as
long as that took. Of a lock that is held for ten minutes each asker thus leaves six attempts behind: on
direct connections the server ends them when it looks after its client (see SERVER_DEFAULTS), behind a pooler
they end with the lock. So whatever is asked under a fuse must bear to be asked twice, or to be lost.

The clock goes on while the event loop is blocked, or the process frozen, and the answer lies there unread. So
it is cut a moment after it is found overdue, and not if it was taken in meanwhile. Should the answer come in
the very turn of the event loop in which the connection is cut, it is taken, and the connection is closed:
whoever got it next would find it broken.

A fuse stands for a task, not for those that it begins: a user's handler that hears of an event, and puts in a
job, waits as long as he likes. Nor is there one for a statement on a connection of the user's own.

An asker waits for one answer at a time, and a fuse is for one asker. A timer of its own for each statement
would be a burden to small ones, so there is one that runs out now and then, and looks.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

import psycopg

from cuckmq.database.connect import cut

FIRST_SECS: Final = 10.0
"""How long an answer may take at first: far longer than any that nothing holds up. A lease, by default."""
MAX_SECS: Final = 600.0
GRACE_SHARE: Final = 1 / 20
"""How much of the limit is the moment between overdue and cut."""
END_SECS: Final = 0.5
"""How long who was cut off may take to end."""

_LAST_DATA: Final = (slice(44, 48), slice(52, 56))
"""Where Linux tells, in its `struct tcp_info`, how many milliseconds ago something was sent, and came."""

_standing: Final[ContextVar[tuple[Fuse, asyncio.Task[Any] | None] | None]] = ContextVar(
    "cuckmq_fuse", default=None
)


class NoAnswer(psycopg.OperationalError):
    """The server has not answered in time. Whether it did what was asked, nobody knows."""


class Fuse:
    """Cuts the connection of one asker whose answer is overdue.

    Args:
        first_secs: how long an answer may take at first.
        max_secs: how long at most, whatever was learnt.

    Attributes:
        limit_secs: how long it may take now.
    """

    __slots__ = (
        "_asked_at",
        "_connection",
        "_first_secs",
        "_has_blown",
        "_is_cut",
        "_loop",
        "_max_secs",
        "_overdue_at",
        "_timer",
        "limit_secs",
    )

    def __init__(self, first_secs: float = FIRST_SECS, *, max_secs: float = MAX_SECS) -> None:
        self.limit_secs = self._first_secs = first_secs
        self._max_secs = max_secs
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._asked_at = 0.0
        self._overdue_at = 0.0
        self._has_blown = self._is_cut = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is awaited."""
        return self._connection is not None

    @contextmanager
    def stand(self) -> Generator[None]:
        """Have every statement of this task under this fuse. If one stands already, that one does."""
        task = asyncio.current_task()
        standing = _standing.get()
        if standing is not None and standing[1] is task:
            yield
            return
        token = _standing.set((self, task))
        try:
            yield
        finally:
            _standing.reset(token)

    def on(self, connection: psycopg.AsyncConnection[Any]) -> Fuse:
        """Await an answer on this connection, in a `with` block.

        Raises:
            NoAnswer: by the block: it was overdue.
        """
        self._connection, self._asked_at = connection, time.monotonic()
        self._has_blown = self._is_cut = False
        loop = asyncio.get_running_loop()
        if self._timer is None or self._loop is not loop:
            self._loop = loop
            self._look_again(self.limit_secs)
        return self

    def cut(self) -> None:
        """Cut the connection on which an answer is awaited, if one is: it can matter no more."""
        if self._connection is not None:
            self._is_cut = True
            cut(self._connection)

    async def end(self, task: asyncio.Task[None]) -> None:
        """End the task that this fuse stands for, and wait for that.

        Cancelled in the middle of a statement, the driver asks the server to stop, and waits for it: seconds,
        if that is silent. So the task first gets an error, and a moment to end by itself.
        """
        if self.is_waiting:
            self.cut()
            try:
                await asyncio.wait([task], timeout=END_SECS)
            finally:
                task.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def __enter__(self) -> None:
        """See on()."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if error is None:
            if self._is_cut and connection is not None:
                connection.pgconn.finish()
            wanted_secs = 2 * (time.monotonic() - self._asked_at)
            if wanted_secs > self._first_secs or self.limit_secs != self._first_secs:
                self._learn(wanted_secs)
        elif self._has_blown and isinstance(error, psycopg.Error):
            waited_secs, self.limit_secs = self.limit_secs, min(2 * self.limit_secs, self._max_secs)
            raise NoAnswer(
                f"no answer for {waited_secs:g} s, so the connection was cut: the network is silent, or "
                "something holds the statement up for that long, such as a lock on a table of the queue"
            ) from error

    def _learn(self, wanted_secs: float) -> None:
        limit_secs = min(max(self._first_secs, wanted_secs), self._max_secs)
        if limit_secs < self.limit_secs and self._timer is not None:
            self._timer.cancel()  # It would look too late.
            self._timer = None
        self.limit_secs = limit_secs

    def _look(self) -> None:
        self._timer = None
        if self._connection is None:
            return
        quiet_secs = min(time.monotonic() - self._asked_at, _quiet_secs(self._connection))
        left_secs = self.limit_secs - quiet_secs
        if left_secs > 0:
            self._look_again(left_secs)
        elif self._overdue_at != self._asked_at:
            self._overdue_at = self._asked_at
            self._look_again(self.limit_secs * GRACE_SHARE)
        else:
            self._has_blown = True
            self.cut()

    def _look_again(self, secs: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(secs, self._look)


@asynccontextmanager
async def last_words(secs: float) -> AsyncGenerator[None]:
    """Have what this task says at its end under a fuse of its own that blows after so long; then end it.

    Raises:
        TimeoutError: by the block: it did not end when it was cut off.
    """
    async with asyncio.timeout(secs + END_SECS):
        with Fuse(secs).stand():
            yield


def standing(connection: psycopg.AsyncConnection[Any]) -> AbstractContextManager[None]:
    """Await an answer under the fuse that stands for this task, if one does."""
    found = _standing.get()
    if found is None or found[1] is not asyncio.current_task():
        return _UNLIMITED
    return found[0].on(connection)


_UNLIMITED: Final = nullcontext()


def _quiet_secs(connection: psycopg.AsyncConnection[Any]) -> float:
    """How long ago something went to the server, or came from it, as far as the system tells."""
    if sys.platform != "linux":
        return float("inf")
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as twin:
            told = twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA[-1].stop)
    except (OSError, psycopg.Error):  # closed, or not TCP
        return float("inf")
    return min(int.from_bytes(told[each], sys.byteorder) for each in _LAST_DATA) / 1000
