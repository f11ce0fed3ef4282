"""Wait for a fact, not for a while."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar, overload

ValueT = TypeVar("ValueT")

#: How often a fact is looked for. Short, so that waiting costs a test nothing.
LOOK_SECS = 0.01


@overload
async def eventually(
    fact: Callable[[], Awaitable[ValueT]], *, timeout_secs: float = 10, why: str = ""
) -> ValueT: ...
@overload
async def eventually(fact: Callable[[], ValueT], *, timeout_secs: float = 10, why: str = "") -> ValueT: ...
async def eventually(fact: Callable[[], Any], *, timeout_secs: float = 10, why: str = "") -> Any:
    """Call until it returns something true, and return that.

    Args:
        fact: sync or async. An AssertionError that it raises means "not yet", as does a false value;
            None too, so that a row that is not there yet needs no more words.
        timeout_secs: how long to go on.
        why: what the fact means, for the message.

    Raises:
        AssertionError: it did not come true. It tells what was seen last.
    """
    looks = _Looks(timeout_secs, why or _name(fact))
    for _ in looks:
        try:
            value = fact()
            if inspect.isawaitable(value):
                value = await value
        except AssertionError as error:
            looks.saw(error)
        else:
            if value:
                return value
            looks.saw(value)
        await asyncio.sleep(LOOK_SECS)
    raise looks.in_vain()


def eventually_sync(fact: Callable[[], ValueT], *, timeout_secs: float = 10, why: str = "") -> ValueT:
    """Do what eventually() does, where no event loop runs."""
    looks = _Looks(timeout_secs, why or _name(fact))
    for _ in looks:
        try:
            value = fact()
        except AssertionError as error:
            looks.saw(error)
        else:
            if value:
                return value
            looks.saw(value)
        time.sleep(LOOK_SECS)
    raise looks.in_vain()


class _Looks:
    """The turns of one wait, and what the last of them saw."""

    def __init__(self, timeout_secs: float, what: str) -> None:
        self._timeout_secs = timeout_secs
        self._what = what
        self._seen: object = None

    def __iter__(self) -> Generator[None]:
        deadline = time.monotonic() + self._timeout_secs
        yield  # at least one look, however short the time
        while time.monotonic() < deadline:
            yield

    def saw(self, value: object) -> None:
        self._seen = value

    def in_vain(self) -> AssertionError:
        error = AssertionError(
            f"not within {self._timeout_secs:g} s: {self._what}; seen last: {self._seen!r}"
        )
        error.__cause__ = self._seen if isinstance(self._seen, AssertionError) else None
        return error


def _name(fact: Callable[[], object]) -> str:
    return getattr(fact, "__qualname__", repr(fact))
