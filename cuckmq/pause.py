"""A pause that something may end."""

from __future__ import annotations

import asyncio
import contextlib


async def pause(until: asyncio.Event, at_most_secs: float | None) -> None:
    """Wait until an event is set, but no longer than so many seconds; None for as long as it takes.

    A cancellation always gets through. asyncio.wait_for() loses one in Python 3.11, if it comes in the very
    turn of the event loop in which the event is set: a task that waits over and over then never ends, and who
    cancelled it waits for ever. It takes two turns of the event loop more, too.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most_secs):
            await until.wait()
