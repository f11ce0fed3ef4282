"""The feed: the events of this process, laid down for those who subscribed elsewhere.

A context has one, however many daemons of it live here, so that nothing is laid down twice. It looks now
and then whether somebody has subscribed, and at once when it is told; only while somebody has does it
listen to the events of this process, gather those that are wanted, and lay them down ten times a second.
See subscription.py for the other end, and for what is promised.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from cuckmq.database.database import Database
from cuckmq.database.fuse import Fuse, last_words
from cuckmq.database.listen import Hint, Listener
from cuckmq.errors import CuckmqError
from cuckmq.event_text import to_text
from cuckmq.events import Event
from cuckmq.hub import EventHub
from cuckmq.log import get_log
from cuckmq.pause import pause
from cuckmq.protocol.feed import find_subscribed, publish_events

_logger = get_log("cuckmq.feed")

LOOK_SECS: Final = 5.0
HEARING_SECS: Final = 60.0
FLUSH_SECS: Final = 0.1
STOP_SECS: Final = 1.0
MAX_HELD: Final = 10_000
MAX_BATCH: Final = 1_000


class Feed:
    """Lays events down while daemons live and somebody wants to hear of them.

    Of more than ten thousand that could not be laid down so far, the oldest are dropped.

    Args:
        database: where.
        listener: tells of new subscriptions.
        events: of this process.
    """

    def __init__(self, database: Database, listener: Listener, events: EventHub) -> None:
        self._database = database
        self._listener = listener
        self._events = events
        self._num_daemons = 0
        self._task: asyncio.Task[None] | None = None
        self._fuse = Fuse()
        self._is_due = asyncio.Event()
        self._is_told = False
        self._kinds: frozenset[str] | None = frozenset()
        self._held: list[Event] = []
        self._looked_at = float("-inf")
        self._stop_listening: Callable[[], None] | None = None
        self._stop_hearing: Callable[[], None] | None = None

    async def join(self) -> None:
        """A daemon is about to work. With the first the feed begins, and has heard of those who listen."""
        self._num_daemons += 1
        if self._num_daemons == 1:
            self._is_due = asyncio.Event()
            self._looked_at = float("-inf")
            self._stop_listening = self._listener.subscribe(self._on_hint)
            with contextlib.suppress(psycopg.Error, PoolTimeout, OSError, CuckmqError), self._fuse.stand():
                await self._look()  # else it is tried again by the task, which says so
            self._task = asyncio.get_running_loop().create_task(self._live(), name="cuckmq-feed")

    async def leave(self) -> None:
        """A daemon has ended. With the last the feed ends, after it has laid down what it holds."""
        self._num_daemons -= 1
        if self._num_daemons:
            return
        task, self._task = self._task, None
        if task is not None:
            await self._fuse.end(task)
        self._hear(None)
        if self._stop_listening is not None:
            self._stop_listening()
        try:
            async with last_words(STOP_SECS):
                await self._flush()
        except (psycopg.Error, PoolTimeout, TimeoutError, OSError, CuckmqError) as error:
            _logger.info("the last events did not reach their subscribers: %s", error)
        self._held.clear()

    async def _live(self) -> None:
        while True:
            self._is_due.clear()
            try:
                with self._fuse.stand():
                    await self._flush()
                    if self._is_told or time.monotonic() - self._looked_at >= self._look_secs():
                        await self._look()
                pause_secs = self._look_secs() if self._stop_hearing is None else FLUSH_SECS
            except (psycopg.Error, PoolTimeout, OSError, CuckmqError) as error:
                if not self._num_daemons:
                    return
                _logger.warning("events do not reach their subscribers, trying again: %s", error)
                pause_secs = LOOK_SECS
            except Exception:
                _logger.exception("events do not reach their subscribers, trying again")
                pause_secs = LOOK_SECS
            await pause(self._is_due, pause_secs)

    def _look_secs(self) -> float:
        """How often to look: seldom while hints come through; often while somebody listens, who may go."""
        is_hearing = self._listener.is_connected.is_set()
        return HEARING_SECS if is_hearing and self._stop_hearing is None else LOOK_SECS

    async def _look(self) -> None:
        self._is_told = False
        try:
            subscribed = await self._database.run(find_subscribed())
        except BaseException:
            self._is_told = True
            raise
        self._looked_at = time.monotonic()
        named = [kinds for kinds in subscribed if kinds is not None]
        wants_all = len(named) < len(subscribed)
        self._kinds = None if wants_all else frozenset(kind for kinds in named for kind in kinds)
        self._hear(self._hold if subscribed else None)

    def _hear(self, handler: Callable[[Event], None] | None) -> None:
        if handler is not None and self._stop_hearing is None:
            self._stop_hearing = self._events.add(handler)
            self._is_due.set()
        elif handler is None and self._stop_hearing is not None:
            self._stop_hearing()
            self._stop_hearing = None

    def _hold(self, event: Event) -> None:
        if self._kinds is None or type(event).__name__ in self._kinds:
            self._held.append(event)
            if len(self._held) > MAX_HELD:
                del self._held[: MAX_HELD // 10]

    async def _flush(self) -> None:
        while self._held:
            batch = self._held[:MAX_BATCH]
            kinds = [type(event).__name__ for event in batch]
            await self._database.run(publish_events(kinds, [to_text(event) for event in batch]))
            del self._held[: len(batch)]

    def _on_hint(self, hint: Hint) -> None:
        if hint[0] in ("subscribed", "connected"):
            self._is_told = True
            self._is_due.set()
