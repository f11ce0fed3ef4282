"""Open connections the way the queue wants them.

Statements here are single calls, so connections commit by themselves. Dead peers must be noticed in
seconds, so TCP keepalives are on unless the DSN says otherwise. Behind a pooler, where the server
under a connection changes from one statement to the next, prepared statements are left out.

The queue's functions are written for READ COMMITTED: each waits for a row, and then must see what it has
become. A role or a database may have another default, under which they would fail with 40001 wherever they
meet. So a connection of ours says what it wants. It says so only where the default differs, and never
through a pooler, where what is set would stay behind for somebody else.
"""

from __future__ import annotations

import selectors
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, ConnectionPool

DEFAULTS: Final[dict[str, Any]] = {
    "application_name": "cuckmq",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

_WHO_IS_IT: Final = (
    "select pg_catalog.pg_backend_pid(), pg_catalog.current_setting('default_transaction_isolation')"
)
_READ_COMMITTED: Final = "set default_transaction_isolation to 'read committed'"


def with_defaults(dsn: str) -> str:
    """Add to a DSN what it does not say itself.

    Raises:
        ConfigurationError: the DSN cannot be read.
    """
    parameters: dict[str, Any] = {**DEFAULTS, **conninfo_to_dict(dsn)}
    return make_conninfo("", **parameters)


async def connect(dsn: str) -> psycopg.AsyncConnection[Any]:
    """Open a connection of one's own, ready for statements."""
    connection = await psycopg.AsyncConnection.connect(with_defaults(dsn), autocommit=True)
    try:
        await configure(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


def connect_sync(dsn: str) -> psycopg.Connection[Any]:
    """Do what connect() does, in the sync world."""
    connection = psycopg.connect(with_defaults(dsn), autocommit=True)
    try:
        configure_sync(connection)
    except BaseException:
        connection.close()
        raise
    return connection


async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
    """Prepare a new connection: learn whether it is direct, and if not, keep the session plain."""
    cursor = await connection.execute(_WHO_IS_IT, prepare=False)
    pid, isolation = await cursor.fetchone() or (None, None)
    if pid != connection.info.backend_pid:
        connection.prepare_threshold = None
    elif isolation != "read committed":
        await connection.execute(_READ_COMMITTED, prepare=False)


def configure_sync(connection: psycopg.Connection[Any]) -> None:
    """Do what configure() does, in the sync world."""
    pid, isolation = connection.execute(_WHO_IS_IT, prepare=False).fetchone() or (None, None)
    if pid != connection.info.backend_pid:
        connection.prepare_threshold = None
    elif isolation != "read committed":
        connection.execute(_READ_COMMITTED, prepare=False)


async def check(connection: psycopg.AsyncConnection[Any]) -> None:
    """Refuse a pooled connection that the server has closed. Costs no round trip while it is sound.

    An idle connection has nothing to say; if there is something to read, it is most likely the end.
    Only then the server is asked.
    """
    if _has_something_to_read(connection):
        await AsyncConnectionPool.check_connection(connection)


def check_sync(connection: psycopg.Connection[Any]) -> None:
    """Do what check() does, in the sync world."""
    if _has_something_to_read(connection):
        ConnectionPool.check_connection(connection)


def _has_something_to_read(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        return bool(selector.select(timeout=0))


def is_direct(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> bool:
    """Whether this connection has a server session of its own. Poolers name a process that is not there."""
    return connection.prepare_threshold is not None
