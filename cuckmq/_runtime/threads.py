"""Threads for sync work functions: as many as lanes are at it, and none that outlives the process.

Not concurrent.futures: its threads are joined when the interpreter exits, so one work function that
never returns would keep a worker from ending, whatever its shutdown time. These threads are daemons:
a worker that gave up on one leaves it behind.

To wake a thread, and to be woken by it, costs ten times as much as a short function, since the interpreter
goes from hand to hand. So both are done sparingly:

- A thread that has just taken a call up will be back for the next in a moment, as a rule, so no other is
  woken for that. If it is not, if a call lies there for longer than PATIENCE_SECS, the loop wakes one for it.
  Where nobody has taken anything up for so long, as with slow functions, another is woken at once.
- A thread tells the loop what has ended when it finds nothing more to do. What has ended before a function
  that takes its time the loop finds for itself when it looks, and it looks as long as calls lie there.

Threads that each have something of their own, a process for instance, and mostly wait for that (`may_grow`),
are woken and tell at once, since they keep nobody from working meanwhile. A new one is started only where
that is allowed, for what it has of its own is dear.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

PATIENCE_SECS: Final = 0.001
GROWTH_SECS: Final = 0.005
"""How often to ask whether there may be another of those that have something of their own."""


class _Call(NamedTuple):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    run: Callable[..., Any]
    future: asyncio.Future[Any]
    put_at: float


class _Ended(NamedTuple):
    future: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class Threads:
    """Daemon threads, each started when it is first needed. Who calls sees to how many that are.

    Args:
        name: what they are called.
        may_grow: for threads that have something of their own: tells whether to start another, if a call
            has waited so many seconds. For the first it is not asked.

    Attributes:
        num_threads: how many were started.
    """

    def __init__(self, name: str, *, may_grow: Callable[[float], bool] | None = None) -> None:
        self._name = name
        self._may_grow = may_grow
        self._look_secs = PATIENCE_SECS if may_grow is None else GROWTH_SECS
        self._lock = threading.Lock()
        self._calls: deque[_Call] = deque()
        self._ended: deque[_Ended] = deque()
        self._bell: SimpleQueue[bool] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.num_threads = 0
        self._num_awake = 0
        self._moved_at = 0.0
        self._is_told = False
        self._is_looking = False

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in a thread, in a copy of the current context, and await what it returns.

        If the waiting is cancelled the function goes on, and what it returns is dropped.
        """
        return await self.begin(function, *arguments)

    def begin(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Do what run() does, for those who wait in a way of their own.

        A future and no task: a SystemExit that passes through a task ends the event loop.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        now = time.monotonic()
        call = _Call(function, arguments, copy_context().run, future, now)
        with self._lock:
            if self._loop is not loop:  # what was to be told to the one before, nobody hears
                self._loop, self._is_told, self._is_looking = loop, False, False
            self._calls.append(call)
            num_asleep = self.num_threads - self._num_awake
            if self._may_grow is None:
                is_awaited = self._num_awake > 0 and now - self._moved_at < PATIENCE_SECS
            else:
                is_awaited = self.num_threads > 0 and num_asleep == 0
        if not is_awaited:
            self._wake(1, now)
        elif not self._is_looking:
            self._is_looking = True
            loop.call_later(self._look_secs, self._look, loop)
        return future

    def close(self) -> None:
        """Let the threads end as they become free."""
        for _ in range(self.num_threads):
            self._bell.put(False)

    def _wake(self, num: int, now: float) -> None:
        """Have so many more threads at it. On the loop, as all that comes before."""
        with self._lock:
            num_asleep = self.num_threads - self._num_awake
            self._num_awake += num
            self._moved_at = now
        for _ in range(min(num, num_asleep)):
            self._bell.put(True)
        for _ in range(num - num_asleep):
            self.num_threads += 1
            name = f"{self._name}-{self.num_threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take what has ended, and get threads for calls that nobody has come for."""
        self._take_ended()
        now = time.monotonic()
        with self._lock:
            num_overdue = sum(call.put_at <= now - PATIENCE_SECS for call in self._calls)
            waited_secs = now - self._calls[0].put_at if num_overdue else 0.0
        if num_overdue and self._may_grow is not None:
            num_overdue = 1 if self._may_grow(waited_secs) else 0
        if num_overdue:
            self._wake(num_overdue, now)
        if self._calls:
            loop.call_later(self._look_secs, self._look, loop)
        else:
            self._is_looking = False

    def _take_ended(self) -> None:
        self._is_told = False  # first, so that what ends from here on is told anew
        while self._ended:
            self._finish(*self._ended.popleft())

    def _work(self) -> None:
        while True:
            with self._lock:
                call = self._calls.popleft() if self._calls else None
                if call is not None:
                    self._moved_at = time.monotonic()
                else:
                    self._num_awake -= 1
                is_moment = call is None or self._may_grow is not None
                is_to_tell = is_moment and bool(self._ended) and not self._is_told
                self._is_told = self._is_told or is_to_tell
                loop = self._loop
            if is_to_tell and loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(self._take_ended)
            if call is not None:
                self._ended.append(_Ended(call.future, *_carry_out(call.run, call.function, call.arguments)))
                del call
            elif not self._bell.get():
                return

    def _finish(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        if future.done() or future.get_loop().is_closed():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration):
            future.set_exception(RuntimeError(f"the work function raised {error!r}"))
        else:
            future.set_exception(error)


def _carry_out(
    run: Callable[..., Any], function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, BaseException | None]:
    """Without the future: an error keeps this frame, the future keeps the error, and neither would go."""
    try:
        return run(function, *arguments), None
    except BaseException as caught:  # noqa: BLE001 - whatever user code raises ends its job and nothing else
        return None, caught
