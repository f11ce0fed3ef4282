"""Wait for facts, not for time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def eventually(check: Callable[[], Any], timeout_secs: float = 10.0) -> Any:
    """Call a function, sync or async, until what it returns is truthy, and return that.

    An AssertionError counts as not yet. When the time is up, the last one is raised.
    """
    deadline = time.monotonic() + timeout_secs
    while True:
        error: AssertionError | None = None
        try:
            found = check()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
        except AssertionError as caught:
            error = caught
        if time.monotonic() > deadline:
            raise error or AssertionError(f"still not true after {timeout_secs} s: {inspect.getsource(check)}")
        await asyncio.sleep(0.01)
