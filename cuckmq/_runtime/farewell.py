"""How a worker ends: it finishes what it has, and takes leave of the queue."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import psycopg

from cuckmq._runtime.desk import Desk
from cuckmq._runtime.session import Session
from cuckmq._runtime.waiting import first_of
from cuckmq.database.fuse import END_SECS
from cuckmq.errors import CuckmqError
from cuckmq.log import get_log

_logger = get_log("cuckmq.worker")

FAREWELL_SECS: Final = 3.0


async def drain(desk: Desk, hasty: asyncio.Event, shutdown_secs: float) -> None:
    """Hand persistent jobs over; wait until nothing is in hand, the time is up, or a second signal came."""
    desk.hand_over()
    deadline = time.monotonic() + shutdown_secs
    while desk.in_hand and not hasty.is_set() and time.monotonic() < deadline:
        await first_of(desk.is_clear, hasty, timeout_secs=deadline - time.monotonic())


async def take_leave(session: Session, talk: asyncio.Task[None] | None, patience_secs: float) -> None:
    """Give the last outcomes and retire, if the database can be reached; else the lease will end.

    Args:
        session: to be closed.
        talk: the dispatcher at work, which was told to close.
        patience_secs: how long to wait for it when it was broken off.
    """
    # Cut off before it is cancelled: that would ask a network that may be silent, and wait for it.
    timer = asyncio.get_running_loop().call_later(FAREWELL_SECS, session.cut_off)
    try:
        async with asyncio.timeout(FAREWELL_SECS + END_SECS):
            if talk is not None:
                await asyncio.wait([talk])
            await session.retire()
    except (psycopg.Error, OSError, TimeoutError, CuckmqError) as error:
        _logger.warning("could not take leave of the queue, which will notice by itself: %s", error)
    finally:
        timer.cancel()
    if talk is not None:
        talk.cancel()
        await asyncio.wait([talk], timeout=patience_secs)
    await session.disconnect()
