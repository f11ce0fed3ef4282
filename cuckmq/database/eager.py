"""Begin a task at once, in the caller's turn of the event loop: what has nothing to wait for costs no turn.

From Python 3.12 on the event loop's own eager tasks do this. Before, the first step is made by hand, and only
what has to wait becomes a task, or a future at all. That first step must not ask which task it is in.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")


class Done(Generic[T]):
    """What had nothing to wait for, and has its result."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def done(self) -> bool:
        """Say so."""
        return True

    def result(self) -> T:
        """Return what came of it."""
        return self._value


Work: TypeAlias = Done[T] | asyncio.Future[T]
"""Work that was begun, and may have its result already."""


def begin(work: Coroutine[Any, Any, T]) -> Work[T]:
    """Start some work."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
    try:
        pending = work.send(None)
    except StopIteration as stop:
        return Done(stop.value)
    except Exception as error:  # noqa: BLE001 - it is for the one who waits
        failed: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        return failed
    return asyncio.get_running_loop().create_task(_Begun(work, pending))


async def outcome(work: Work[T]) -> T:
    """Wait for work, which goes on if who waits is cancelled."""
    return work.result() if isinstance(work, Done) or work.done() else await asyncio.shield(work)


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
