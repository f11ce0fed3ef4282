"""Hear what the database has to tell: one connection per process that listens.

What is heard is a hint: that there may be something to claim, that a cancellation was asked. Nothing
rests on it, because hints get lost: with the connection, in a pooler that accepts LISTEN and delivers
nothing, in a network that went silent. So

- after every (re)connection subscribers are told to look for themselves: what was said meanwhile is gone;
- every few seconds the listener sends itself a message through the server, and if it does not hear
  it, the connection is deaf: it is dropped and made anew. Where a pooler may stand between, another
  connection sends it. All who listen hear it, and are spared their own: so each waits for another while, or
  fifty that heard the same would all speak at once, and the server wake each of them fifty times;
- a server that takes no writes any more is left: its standby has taken over, and is heard elsewhere;
- behind a pooler it finds itself deaf from the start, says so once, and tries again now and then,
  while everyone polls.

Anyone in the database may listen and may speak on the channel, so messages carry numbers only, and
what they claim is never believed: it is looked up.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.pq.abc import PGconn
from psycopg.waiting import Wait

from cuckmq.database.connect import connect, cut_when_late, is_direct
from cuckmq.database.database import Database
from cuckmq.database.fuse import Fuse
from cuckmq.log import get_log

_logger = get_log("cuckmq.listener")

PING_SECS: Final = 15.0
"""At most; each pause is up to a third shorter."""
PONG_TIMEOUT_SECS: Final = 5.0
MAX_PAUSE_SECS: Final = 30.0
PING: Final = (
    "select mode, pg_catalog.pg_notify(%s, case mode when 'on' then 'demoted' else 'ping' end) "
    "from pg_catalog.current_setting('transaction_read_only') mode"
)

Hint = tuple[str, int]
"""A word and a number: `("ready", channel_id)`, `("cancel", job_id)`, `("destroyed", channel_id)`,
`("subscribed", subscription_id)`, `("events", 0)`;
`("connected", 0)` is our own."""


class Listener:
    """Listens while anyone is subscribed.

    Args:
        database: whose schema to listen for, on its direct DSN.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: list[Callable[[Hint], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._fuse = Fuse(PONG_TIMEOUT_SECS)
        self._heard_at = float("-inf")
        self._is_in_doubt = False
        self.is_connected = asyncio.Event()

    def subscribe(self, subscriber: Callable[[Hint], None]) -> Callable[[], None]:
        """Have hints told to a function, which must not raise. Returns the way to unsubscribe.

        The first subscriber makes the listener connect; when the last has gone, it hangs up.
        """
        self._subscribers.append(subscriber)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._listen(), name="cuckmq-listener")

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)
            if not self._subscribers and self._task is not None:
                self._task.cancel()

        return unsubscribe

    async def close(self) -> None:
        """Hang up and wait until that is done."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _listen(self) -> None:
        pause_secs = 0.5
        is_told = False
        try:
            while True:
                try:
                    await self._listen_once()
                    pause_secs = 0.5
                except (psycopg.Error, OSError, _DeafError) as error:
                    was_connected = self.is_connected.is_set()
                    if isinstance(error, _DeafError) and not was_connected:
                        if not is_told:
                            _logger.warning("%s", error)
                            is_told = True
                        pause_secs = MAX_PAUSE_SECS
                    else:
                        _logger.warning("lost the connection that listens, trying again: %s", error)
                        pause_secs = 0.1 if was_connected else min(2 * pause_secs, MAX_PAUSE_SECS)
                finally:
                    self.is_connected.clear()
                await asyncio.sleep(pause_secs * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        finally:
            self._task = None

    async def _listen_once(self) -> None:
        channel = f"cuckmq.{self._database.schema}"
        connection = await connect(await asyncio.to_thread(lambda: self._database.direct_dsn))
        connection.add_notify_handler(lambda notification: self._understand(notification.payload))
        try:
            with self._fuse.on(connection):
                await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)), prepare=False)
            while True:
                self._is_in_doubt = False
                pinged_at = time.monotonic()
                await self._ping(connection, channel)
                await self._hear(connection, PONG_TIMEOUT_SECS)
                if self._heard_at < pinged_at:
                    raise _DeafError(
                        "LISTEN is not answered, probably because a pooler stands in between: workers poll "
                        "instead. Give Context(listen_dsn=...) a DSN that reaches the server itself"
                    )
                ping_secs = PING_SECS * random.uniform(0.67, 1.0)  # noqa: S311 - jitter
                while (secs := self._heard_at + ping_secs - time.monotonic()) > 0 and not self._is_in_doubt:
                    await self._hear(connection, secs)
        finally:
            await connection.close()

    async def _ping(self, connection: psycopg.AsyncConnection[Any], channel: str) -> None:
        if not is_direct(connection):
            # A pooler lends us the session that listens for as long as we ask, so we would hear ourselves and
            # nobody else. Another connection must ask.
            async with self._database.own_connection() as other:
                with self._fuse.on(other):
                    await other.execute(PING, (channel,), prepare=False)
            return
        # In a network that went silent even the question would take longer than the answer may.
        with cut_when_late(connection, PONG_TIMEOUT_SECS):
            cursor = await connection.execute(PING, (channel,), prepare=False)
            if (await cursor.fetchone() or ("on",))[0] == "on":
                # It was demoted and left our session alive.
                raise psycopg.OperationalError("the server takes no writes any more")

    async def _hear(self, connection: psycopg.AsyncConnection[Any], secs: float) -> None:
        """Hear words for some time, or until one makes us doubt the server.

        No task is woken for a word: it reaches the subscribers in the very callback that reads it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(secs):
                await connection.wait(self._steps(connection.pgconn))

    def _steps(self, pgconn: PGconn) -> PQGen[None]:
        while True:
            # At first for what came together with the answer to a ping.
            while (word := pgconn.notifies()) is not None:
                self._understand(word.extra.decode(errors="replace"))
            if self._is_in_doubt:
                return
            while not (yield Wait.R):
                pass
            pgconn.consume_input()

    def _understand(self, payload: str) -> None:
        # Whatever comes, even a neighbour's ping, shows that we are not deaf.
        self._heard_at = time.monotonic()
        if not self.is_connected.is_set():
            self.is_connected.set()
            self._tell(("connected", 0))
        if payload == "demoted":
            # A neighbour says so, whose ping would else have spared us our own. We see for ourselves.
            self._is_in_doubt = True
        word, _, number = payload.partition(" ")
        if (
            word in ("ready", "cancel", "destroyed", "subscribed", "events")
            and number.isascii()
            and number.isdigit()
            and len(number) < 20
        ):
            self._tell((word, int(number)))

    def _tell(self, hint: Hint) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(hint)


class _DeafError(Exception):
    """The server takes our words and brings none back."""
