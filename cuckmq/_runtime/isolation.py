"""Run a coroutine in a context of its own, without a task of its own.

Lanes are tasks that live long and run job after job, since a task per job costs several microseconds.
But what one job sets in a contextvar (a logger's fields, a tracer's span) must not be seen by the next.
So each job's coroutine is stepped inside a fresh copy of the lane's context. What it awaits passes
through to the loop as if the lane awaited it, and a cancellation of the lane passes the other way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from contextvars import Context, copy_context
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_DONE: Final = object()


class Isolated(Generic[T]):
    """Awaits something inside a context of its own.

    Args:
        awaitable: what to await.
        context: where; a copy of the current one if not given.
    """

    __slots__ = ("_awaitable", "_context", "_result")

    def __init__(self, awaitable: Awaitable[T], context: Context | None = None) -> None:
        self._awaitable = awaitable
        self._context = copy_context() if context is None else context

    def __await__(self) -> Generator[Any, Any, T]:
        run = self._context.run
        steps = self._run().__await__()
        # What ends by itself ends the steps without an error: raising one costs as much as all else here.
        pending = run(next, steps, _DONE)
        while pending is not _DONE:
            try:
                answer = yield pending
            except GeneratorExit:
                run(_close, steps)
                raise
            except BaseException as error:  # noqa: BLE001 - whatever user code raises ends its job and nothing else
                pending = run(_throw, steps, error)
            else:
                pending = run(_send, steps, answer)
        return self._result

    async def _run(self) -> None:
        self._result = await self._awaitable


def _send(steps: Generator[Any, Any, Any], answer: Any) -> Any:
    try:
        return steps.send(answer)
    except StopIteration:
        return _DONE


def _throw(steps: Generator[Any, Any, Any], error: BaseException) -> Any:
    try:
        return steps.throw(error)
    except StopIteration:
        return _DONE


def _close(steps: Generator[Any, Any, Any]) -> None:
    steps.close()
