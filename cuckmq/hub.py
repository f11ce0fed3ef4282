"""Who hears of events: handlers of this process.

Handlers are given to `Context.add_event_handler` and hear of what this process does: its enqueues, its
workers, its orchestrators. A handler that raises is logged and changes nothing.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from cuckmq.events import Event
from cuckmq.log import get_log

_logger = get_log("cuckmq.events")

EventHandler: TypeAlias = Callable[[Event], Awaitable[None] | None]


class EventHub:
    """Tells events to handlers, and lets no handler do harm.

    Events are told where they become known, which may be a thread or a script without an event loop.
    Async handlers told there run on the loop on which handlers were added or told last, since what
    they use lives there; where there never was one, they are run to their end on the spot.
    """

    def __init__(self) -> None:
        self._handlers: list[EventHandler] = []
        self._tasks: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_heard(self) -> bool:
        """Whether anyone listens. Where not, the hot path makes no events at all."""
        return bool(self._handlers)

    def add(self, handler: EventHandler) -> Callable[[], None]:
        """Add a handler, sync or async. Returns a function that removes it again."""
        self._handlers.append(handler)
        self._loop = _running_loop() or self._loop
        is_there = True

        def remove() -> None:
            nonlocal is_there
            if is_there:
                self._handlers.remove(handler)
                is_there = False

        return remove

    def tell(self, event: Event) -> None:
        """Call every handler. Async ones go on by themselves; whatever one raises is logged."""
        for handler in tuple(self._handlers):
            try:
                pending = handler(event)
                if inspect.isawaitable(pending):
                    self._follow(pending, event)
            except BaseException:
                _logger.exception("an event handler failed on %s", type(event).__name__)

    def _follow(self, pending: Awaitable[None], event: Event) -> None:
        here = _running_loop()
        self._loop = here or self._loop
        if here is not None:
            self._begin(pending, event)
        elif self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._begin, pending, event)
        else:
            asyncio.run(_finish(pending, event))

    def _begin(self, pending: Awaitable[None], event: Event) -> None:
        task = asyncio.ensure_future(_finish(pending, event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _finish(pending: Awaitable[None], event: Event) -> None:
    try:
        await pending
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException:
        # Of a task's exceptions, SystemExit and KeyboardInterrupt would end the event loop, and the worker.
        _logger.exception("an event handler failed on %s", type(event).__name__)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
