"""A connection that keeps its ear on the socket between one statement and the next.

psycopg's own wait tells the event loop of the socket before each answer and takes that back after it, sets a
timer, and resumes the task to read. That is a third of what a small statement costs the client. Here the
loop is told once, and what comes is read in the very callback that tells of it; the task is resumed when all
is there, as with asyncio's own transports. Everything but the wait for an answer goes to psycopg: what waits
to write, what has a time limit, and above all what is to be done when the task is cancelled.

What makes it safe to stay registered:

- The loop watches a duplicate of the socket, which is ours. libpq closes its own on an error, without a word,
  and the number may be another file's a moment later; the loop would go on watching that. Nor do we stand in
  the way of who waits for the socket by himself, such as psycopg, or a user with `loop.add_reader`.
- A word that comes while nobody waits is left where it is, and the duplicate is closed: else the loop would
  turn without end. It is heard with the next statement, or found by the check before the next loan.
- An answer is read by one alone: the callback, or after a cancellation psycopg, and then the ear is gone.

It costs a file descriptor for each connection. A connection that is used on another event loop listens there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Generator
from contextvars import Context, copy_context
from functools import cached_property
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import ConnStatus
from psycopg.rows import Row
from psycopg.waiting import Ready, Wait

from cuckmq.database.prepared import Prepared

T = TypeVar("T")

INTERVAL_SECS: Final = 0.1
"""How often psycopg looks by itself when nothing else is asked for. Who asks for another is left to it."""
BUSY_SECS: Final = 0.005
"""How long statements that find their answers there at once may keep the event loop to themselves."""


class AttentiveConnection(psycopg.AsyncConnection[Row]):
    """An async connection on which an answer takes one turn of the event loop, and no more."""

    # Two underscores: the names are psycopg's to give, in a class of its own.
    __ear: int | None = None
    __loop: asyncio.AbstractEventLoop | None = None
    __rest: _Rest[Any] | None = None
    __answer: asyncio.Future[Any] | None = None
    __context: Context
    __rested_at: float = 0.0

    @cached_property
    def prepared(self) -> Prepared:
        """The queue's own statements, as this connection knows them."""
        return Prepared(self)

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = INTERVAL_SECS,
        timeout: float | None = None,  # noqa: ASYNC109 - it is psycopg's
    ) -> T:
        """Take the steps of a statement until it has its answer.

        Args:
            gen: the steps; yields what to wait for.
            interval: how often to look without having been told.
            timeout: how long to wait.
        """
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        if interval != INTERVAL_SECS:
            return await super().wait(gen, interval)
        try:
            rest = _Rest(gen, next(gen))
        except StopIteration as end:
            await self.__pause_if_busy()
            value: T = end.value
            return value
        if rest.state == Wait.R and self.__is_attentive():
            answer: T = await self.__answer_to(rest)
            if answer is not _UNFINISHED:
                return answer
        return await super().wait(rest)

    async def close(self) -> None:
        """Close the connection. Who waits for an answer gets an error, at once."""
        self.__deafen()
        await super().close()
        if self.closed and self.__answer is not None and not self.__answer.done():
            self.__answer.set_exception(_closed())

    def __del__(self, *told: Any) -> None:
        """Let go of the duplicate with the connection, if its event loop is gone without having closed it."""
        self.__deafen()
        super().__del__(*told)

    async def __pause_if_busy(self) -> None:
        if time.monotonic() - self.__rested_at >= BUSY_SECS:
            await asyncio.sleep(0)
            self.__rested_at = time.monotonic()

    async def __answer_to(self, rest: _Rest[T]) -> Any:
        self.__rest, self.__context = rest, copy_context()
        self.__answer = asyncio.get_running_loop().create_future()
        try:
            return await self.__answer
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit) as interruption:
            self.__deafen()
            rest.interruption = interruption  # to be raised where psycopg sees it
            return _UNFINISHED
        finally:
            self.__rest = self.__answer = None
            self.__rested_at = time.monotonic()

    def __is_attentive(self) -> bool:
        loop = asyncio.get_running_loop()
        if self.__loop is loop:
            return True
        self.__deafen()
        try:
            self.__ear = os.dup(self.pgconn.socket)
        except OSError:
            return False  # No file descriptor is to be had; on Windows, never one of a socket.
        self.__loop = loop
        loop.add_reader(self.__ear, self.__hear)
        return True

    def __deafen(self) -> None:
        ear, self.__ear = self.__ear, None
        loop, self.__loop = self.__loop, None
        if ear is not None and loop is not None:
            if not loop.is_closed():
                loop.remove_reader(ear)
            os.close(ear)

    def __hear(self) -> None:
        rest, answer = self.__rest, self.__answer
        if rest is None or answer is None or answer.done():
            self.__deafen()
        elif self.pgconn.status == ConnStatus.BAD:
            answer.set_exception(_closed())
        else:
            try:
                # Who handles notices finds the context of the one who asked.
                self.__context.run(rest.send, Ready.R)
            except StopIteration as end:
                answer.set_result(end.value)
            except Exception as error:  # noqa: BLE001 - it is for the one who waits
                answer.set_exception(error)
            else:
                if rest.state != Wait.R:
                    answer.set_result(_UNFINISHED)


class _Rest(Generator[Any, Any, T]):
    """What is left of a statement's steps. psycopg can go on with them as with those that it made.

    Attributes:
        state: what they wait for.
        interruption: raised before the next step, as if it had come to psycopg. It then asks the server to
            stop, and takes the steps that are left.
    """

    __slots__ = ("_steps", "interruption", "state")

    def __init__(self, steps: PQGen[T], state: int) -> None:
        self._steps = steps
        self.state = state
        self.interruption: BaseException | None = None

    def send(self, ready: Any) -> Any:
        if self.interruption is not None:
            interruption, self.interruption = self.interruption, None
            raise interruption
        if ready is not None:  # else somebody new begins, where they are
            self.state = self._steps.send(ready)
        return self.state

    def throw(self, *error: Any) -> Any:
        return self._steps.throw(*error)

    def close(self) -> None:
        self._steps.close()


_UNFINISHED: Final = object()
"""The answer of steps that psycopg is to go on with."""


def _closed() -> psycopg.OperationalError:
    return psycopg.OperationalError("the connection was closed while an answer was awaited")
