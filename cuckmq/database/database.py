"""The queue's database as the rest of the house sees it: a place to run statements.

It owns what it opens and nothing else. Given a pool, it uses that pool and never closes it; given a
DSN, it opens a pool on first use, for the event loop that asks. The sync world has a small pool of
its own, opened on its first use.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from cuckmq.database.attentive import AttentiveConnection
from cuckmq.database.connect import check_sync, configure_sync, with_defaults
from cuckmq.database.fuse import NoAnswer, standing
from cuckmq.database.lend import Loan, come_to_rest, give_back
from cuckmq.database.locate import locate_database
from cuckmq.database.migrate import check_schema, check_schema_sync
from cuckmq.database.prepared import PreparingConnection
from cuckmq.database.renewal import Renewal
from cuckmq.database.run import run, run_sync
from cuckmq.database.spare import Spare
from cuckmq.database.wash import wash
from cuckmq.errors import ConfigurationError, DatabaseReadOnly, SchemaOutdated
from cuckmq.protocol.statement import RowT, Statement

MAX_POOL_SIZE = 10
MAX_IDLE_SECS: Final = 5.0
"""How soon a connection is closed that nobody needs; one after the other, all but the one at hand."""
MAX_IDLE_SYNC_SECS: Final = 30.0
"""The same of the sync pool, which has none at hand, so that the last one goes as well."""

READ_ONLY: Final = (DatabaseReadOnly, psycopg.errors.ReadOnlySqlTransaction)
"""What a server says that was demoted with its sessions left alive.

Such a connection is sound and would be lent again and again, to no end. Closed, the pool puts another in its
place, and that one goes to whoever is the primary now.
"""


class Database:
    """Runs statements in one schema of one database.

    Args:
        source: a DSN; a pool of the caller's; or None to look it up on first use (the environment,
            then an embedded server).
        schema: the queue's schema, already checked.
        listen_dsn: a DSN that reaches the server without a pooler, if `source` goes through one.
    """

    def __init__(
        self, source: str | AsyncConnectionPool[Any] | None, *, schema: str, listen_dsn: str | None
    ) -> None:
        self.schema = schema
        self._given = source if isinstance(source, AsyncConnectionPool) else None
        self._dsn = source if isinstance(source, str) else None
        self._listen_dsn = listen_dsn
        self._lock = threading.Lock()
        self._pool: AsyncConnectionPool[Any] | None = None
        self._renewal = Renewal()
        self._spare = Spare(give_back, is_given=self._given is not None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sync_pool: ConnectionPool[Any] | None = None
        self._located: Any = None
        for what, dsn in (("the DSN", self._dsn), ("listen_dsn", listen_dsn)):
            try:
                with_defaults(dsn or "")
            except psycopg.ProgrammingError as error:
                raise ConfigurationError(f"{what} cannot be read: {error}") from None

    @property
    def dsn(self) -> str:
        """Where to connect, looked up (and an embedded server started) if nobody said."""
        if self._given is not None:
            kwargs = self._given.kwargs if isinstance(self._given.kwargs, dict) else {}
            names = ("host", "hostaddr", "port", "dbname", "user", "password", "service", "sslmode")
            return make_conninfo(
                self._given.conninfo if isinstance(self._given.conninfo, str) else "",
                **{name: kwargs[name] for name in names if name in kwargs},
            )
        with self._lock:
            if self._dsn is None:
                self._located = locate_database(None)
                self._dsn = self._located.dsn
            return self._dsn

    @property
    def direct_dsn(self) -> str:
        """Where to connect for what needs a session of its own: listening, holding a lock."""
        return self._listen_dsn or self.dsn

    async def run(
        self, statement: Statement[RowT], connection: psycopg.AsyncConnection[Any] | None = None
    ) -> list[RowT]:
        """Run a statement: in the caller's transaction if a connection is given, else committed.

        Raises:
            NoAnswer: a fuse stands for this task (see fuse.py), and has blown.
        """
        if connection is None:
            try:
                async with self.own_connection() as own:
                    with standing(own):
                        return await self.run(statement, own)
            except NoAnswer:
                self._renewal.doubt()
                self._spare.rest()
                raise
        try:
            return await run(connection, statement, self.schema)
        except SchemaOutdated:
            # What is not there was never there, or a newer version took it away.
            if connection.info.transaction_status is TransactionStatus.IDLE:
                await check_schema(connection, self.schema)
            raise

    def run_sync(
        self, statement: Statement[RowT], connection: psycopg.Connection[Any] | None = None
    ) -> list[RowT]:
        """Do what run() does, from the sync world. Not to be called on an event loop's thread."""
        if connection is None:
            with self._sync().connection() as own:
                return self.run_sync(statement, own)
        try:
            return run_sync(connection, statement, self.schema)
        except SchemaOutdated:
            if connection.info.transaction_status is TransactionStatus.IDLE:
                check_schema_sync(connection, self.schema)
            raise

    def connection(self) -> Loan:
        """Lend a connection of the pool to users. What it did is committed at the end, or rolled back.

        What they leave on the session is washed off, unless the pool was given: what its sessions are set to
        is for its owner to know, who can give it a `reset`.
        """
        return Loan(
            self._open,
            is_spoilt_by=READ_ONLY,
            spare=self._spare,
            is_own=False,
            wash=None if self._given is not None else wash,
        )

    def own_connection(self) -> Loan:
        """Do what connection() does, for statements of the queue's own: they leave nothing to wash off."""
        return Loan(self._open, is_spoilt_by=READ_ONLY, spare=self._spare, is_own=True)

    @contextmanager
    def connection_sync(self) -> Generator[psycopg.Connection[Any]]:
        """Do what connection() does, from the sync world."""
        with self._sync().connection() as connection:
            try:
                yield connection
            except READ_ONLY:
                connection.close()
                raise

    async def close(self) -> None:
        """Close what this opened, and give back what it borrowed. It opens again when used again."""
        with self._lock:
            pool, self._pool = self._pool, None
            sync_pool, self._sync_pool = self._sync_pool, None
            located, self._located = self._located, None
            loop, self._loop = self._loop, None
            if located is not None:
                self._dsn = None
        self._spare.rest()
        if self._given is not None:  # it stays open, and has its connections back
            await come_to_rest(self._given)
        if pool is not None and loop is asyncio.get_running_loop():
            await pool.close()
            await come_to_rest(pool)
        if sync_pool is not None:
            await asyncio.to_thread(sync_pool.close)
        if located is not None:
            await asyncio.to_thread(located.close)

    async def _open(self) -> AsyncConnectionPool[Any]:
        if self._given is not None:
            if self._given.closed:
                raise ConfigurationError(
                    "the pool given to Context is not open: open it first, with `await pool.open()`"
                )
            return self._given
        loop = asyncio.get_running_loop()
        if self._pool is not None and self._loop is loop:
            return self._pool
        if self._pool is not None and self._loop is not None and not self._loop.is_closed():
            raise ConfigurationError(
                "this Context is in use by another event loop: close it there first, or make one each"
            )
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            with_defaults(await asyncio.to_thread(lambda: self.dsn)),
            min_size=0,
            max_size=MAX_POOL_SIZE,
            max_idle=MAX_IDLE_SECS,
            connection_class=AttentiveConnection,
            kwargs={"autocommit": True},
            configure=self._renewal.configure,
            check=self._renewal.check,
            open=False,
            name=f"cuckmq-{self.schema}",
        )
        await pool.open()
        if self._pool is not None and self._loop is loop:  # another task was quicker
            await pool.close()
            return self._pool
        self._spare.forget()
        self._pool, self._loop = pool, loop
        return pool

    def _sync(self) -> ConnectionPool[Any]:
        dsn = self.dsn
        with self._lock:
            if self._sync_pool is None:
                self._sync_pool = ConnectionPool(
                    with_defaults(dsn),
                    min_size=0,
                    max_size=MAX_POOL_SIZE,
                    max_idle=MAX_IDLE_SYNC_SECS,
                    connection_class=PreparingConnection,
                    kwargs={"autocommit": True},
                    configure=configure_sync,
                    check=check_sync,
                    open=True,
                    name=f"cuckmq-sync-{self.schema}-{os.getpid()}",
                )
            return self._sync_pool
