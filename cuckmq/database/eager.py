"""Begin a task at once, in the caller's turn of the event loop: what has nothing to wait for costs no turn.

From Python 3.12 on the event loop's own eager tasks do this. Before, the first step is made by hand, and only
what has to wait becomes a task. That first step must not ask which task it is in.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

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
    return loop.create_task(_finish(_Begun(work, pending)))


async def _finish(begun: _Begun[T]) -> T:
    return await begun


class _Begun(Generic[T]):
    """What has made its first step, and waits for something now."""

    def __init__(self, work: Coroutine[Any, Any, T], pending: Any) -> None:
        self._work = work
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, T]:
        work, pending = self._work, self._pending
        try:
            while True:
                try:
                    answer = yield pending
                except GeneratorExit:
                    work.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - a cancellation, mostly: it is the work's
                    pending = work.throw(error)
                else:
                    pending = work.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
