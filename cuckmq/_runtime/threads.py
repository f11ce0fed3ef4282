"""Threads for sync work functions: as many as lanes are at it, and none that outlives the process.

Not concurrent.futures: its threads are joined when the interpreter exits, so one work function that
never returns would keep a worker from ending, whatever its shutdown time. These threads are daemons:
a worker that gave up on one leaves it behind.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, NamedTuple


class _Call(NamedTuple):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    run: Callable[..., Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Threads:
    """Daemon threads, each started when it is first needed. Who calls sees to how many that are.

    Args:
        name: what they are called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._num_threads = 0
        self._num_busy = 0

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
        self._num_busy += 1
        self._calls.put(_Call(function, arguments, copy_context().run, future, loop))
        if self._num_busy > self._num_threads:
            self._num_threads += 1
            name = f"{self._name}-{self._num_threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def close(self) -> None:
        """Let the threads end as they become free."""
        for _ in range(self._num_threads):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            result, error = None, None
            try:
                result = call.run(call.function, *call.arguments)
            except BaseException as caught:  # noqa: BLE001 - whatever user code raises ends its job and nothing else
                error = caught
            if not call.loop.is_closed():
                call.loop.call_soon_threadsafe(self._finish, call.future, result, error)
            del call, result, error

    def _finish(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._num_busy -= 1
        if future.done():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration):
            future.set_exception(RuntimeError(f"the work function raised {error!r}"))
        else:
            future.set_exception(error)
