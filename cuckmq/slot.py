"""The lane that a work function runs in, as seen by what it waits for."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Final, Protocol


class Slot(Protocol):
    """A lane of a worker, which can be left to others while its job waits for another job."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The worker's event loop."""
        ...

    def vacated(self) -> AbstractAsyncContextManager[None]:
        """Leave the lane to others; at the end wait until there is one to go on in."""
        ...


SLOT: Final[ContextVar[Slot | None]] = ContextVar("cuckmq_slot", default=None)
"""Where this code runs, if that is a lane. Threads and tasks that a work function begins inherit it."""
