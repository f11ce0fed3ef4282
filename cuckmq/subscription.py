"""Hear of events in other processes.

Who subscribes leaves a row that says what he wants to hear of. Processes with a worker or an orchestrator
look for such rows every few seconds, and at once when they are told; only while there is one do they lay
the events down that are wanted, a moment after they have told them to their own handlers. So nobody pays
while nobody listens.

The subscriber reads what was laid down, by number. Numbers are given before they are committed, so one
that is lower may come later than one that is higher: each reading begins anew at the last number that is
ten seconds old, and what was seen already is dropped.

What is promised: each event at most once, and those of one process in their order. What may be lost:
events of the first seconds, until a process has heard of the subscription; those of the last moments of a
process or a server that dies; and those that a subscriber has not read for a minute.

Who waits for the next event waits through a restart of the server or a promotion, and hears on: numbers go on
from where they were, as the sequence is logged although the table is not, and the timeline is part of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from cuckmq.database.database import Database
from cuckmq.database.fuse import Fuse, last_words
from cuckmq.database.listen import Hint, Listener
from cuckmq.errors import DatabaseReadOnly
from cuckmq.event_text import from_text, kinds_of
from cuckmq.events import Event
from cuckmq.log import get_log
from cuckmq.pause import pause
from cuckmq.protocol.feed import read_events, subscribe, unsubscribe

EventT = TypeVar("EventT", bound=Event)

_logger = get_log("cuckmq.subscription")

LEASE_SECS: Final = 60.0
RENEW_SECS: Final = 20.0
POLL_SECS: Final = 1.0
STOP_SECS: Final = 1.0
BATCH_SIZE: Final = 1_000


class Subscription(Generic[EventT]):
    """Events of certain kinds from all processes of the queue; made by `context.subscribe(...)`::

        async with context.subscribe(JobFailed, JobCancelled) as events:
            async for event in events:
                print(event)

    See the head of cuckmq/subscription.py, and docs/events.md, for what is promised.
    """

    def __init__(self, database: Database, listener: Listener, kinds: Sequence[type[EventT]]) -> None:
        self._database = database
        self._listener = listener
        self._kinds = kinds_of(kinds)
        self._subscription_id: int | None = None
        self._renewed_at = 0.0
        self._fuse = Fuse()
        self._after_id = 0
        self._seen: set[int] = set()
        self._read: deque[EventT] = deque()
        self._has_news = asyncio.Event()
        self._leave: Callable[[], None] | None = None

    async def __aenter__(self) -> Self:
        self._leave = self._listener.subscribe(self._on_hint)
        try:
            self._after_id = await self._renew()
        except BaseException:
            self._hang_up()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hang_up()
        if self._subscription_id is not None:
            # If it cannot be taken away it expires.
            with contextlib.suppress(psycopg.Error, PoolTimeout, TimeoutError, OSError, DatabaseReadOnly):
                async with last_words(STOP_SECS):
                    await self._database.run(unsubscribe(self._subscription_id))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EventT:
        """Wait for the next event, also while the server is away; each failure is logged.

        Raises:
            psycopg_pool.PoolClosed: the context was closed meanwhile.
        """
        while not self._read:
            self._has_news.clear()
            try:
                with self._fuse.stand():
                    await self._look()
            except PoolClosed:
                raise
            except (psycopg.OperationalError, PoolTimeout, OSError, DatabaseReadOnly) as error:
                _logger.warning("cannot look for events, trying again: %s", error)
                self._renewed_at = float("-inf")
            if not self._read:
                await pause(self._has_news, POLL_SECS)
        return self._read.popleft()

    async def _look(self) -> None:
        if time.monotonic() - self._renewed_at > RENEW_SECS:
            await self._renew()
        published = await self._database.run(read_events(self._after_id, self._kinds, BATCH_SIZE))
        for each in published:
            if each.id not in self._seen:
                self._seen.add(each.id)
                event: Any = from_text(each.kind, each.body)  # of a kind that was asked for
                if event is not None:
                    self._read.append(event)
        settled = [each.id for each in published if each.is_settled]
        if settled:
            self._after_id = settled[-1]
            self._seen = {each for each in self._seen if each > self._after_id}

    async def _renew(self) -> int:
        (subscribed,) = await self._database.run(subscribe(self._subscription_id, self._kinds, LEASE_SECS))
        self._subscription_id, self._renewed_at = subscribed.subscription_id, time.monotonic()
        return subscribed.last_event_id

    def _hang_up(self) -> None:
        if self._leave is not None:
            self._leave()
            self._leave = None

    def _on_hint(self, hint: Hint) -> None:
        if hint[0] in ("events", "connected"):
            self._has_news.set()
