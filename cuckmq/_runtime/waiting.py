"""Wait for whichever comes first."""

from __future__ import annotations

import asyncio


async def first_of(*events: asyncio.Event, timeout_secs: float | None = None) -> None:
    """Return when one of the events is set, or the time is up."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_secs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
