"""Begin a task at once, in the caller's turn of the event loop: what has nothing to wait for costs no turn.

From Python 3.12 on the event loop's own eager tasks do this. Before, the first step is made by hand, and only
what has to wait becomes a task. That first step must not ask which task it is in.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


def begin(work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
    """Start some work. What is returned may have its result already."""
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    try:
        pending = work.send(None)
    except StopIteration as stop:
        done: asyncio.Future[T] = loop.create_future()
        done.set_result(stop.value)
        return done
    except Exception as error:  # noqa: BLE001 - it is for the one who waits
        failed: asyncio.Future[T] = loop.create_future()
        failed.set_exception(error)
        return failed
    return loop.create_task(_Begun(work, pending))


class _Begun(Coroutine[Any, Any, T]):
    """What has made its first step, and waits for something now; for a task to go on with."""

    def __init__(self, work: Coroutine[Any, Any, T], pending: Any) -> None:
        self._work = work
        self._pending = pending
        self._is_pending = True

    def send(self, value: Any) -> Any:
        if self._is_pending:  # the task's first step finds the work where it is
            self._is_pending = False
            return self._pending
        return self._work.send(value)

    def throw(self, *error: Any) -> Any:
        self._is_pending = False
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._work.__await__()
