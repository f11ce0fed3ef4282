"""Open connections the way the queue wants them.

Statements here are single calls, so connections commit by themselves. Behind a pooler, where the server
under a connection changes from one statement to the next, prepared statements are left out.

A network that is cut says nothing: no reset, no end, and by the defaults of Linux each side waits for
hours. So both are told to notice a dead peer in seconds. Our side takes it from the DSN. The server is
told on each new connection, in the question that every one begins with: else the session of a host
that fell off the network would hold its locks, its slot and its snapshot for two hours.

Who set one of these for the connection, the role or the database keeps it; what merely stands in the
server's own file is for everyone, and is overruled. The limit on what stays unacknowledged is less than a
lease, and not looked at all the time: kernels ask when they send again, after ever longer pauses, so it
may take up to twice as long.

`options` in the DSN would be the other way to tell the server, but PgBouncer refuses it, and by `set` one
client of a pooler would leave its wishes to the next. So nothing is set where the server's process is not
the one that the connection was promised.

Whoever set it, one thing is overruled: the queue's functions are written for READ COMMITTED, where each waits
for a row and then sees what has become of it. Under another default they would fail with 40001 wherever two
workers meet.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from cuckmq.database.attentive import AttentiveConnection
from cuckmq.database.prepared import PreparingConnection

DEFAULTS: Final[dict[str, Any]] = {
    "application_name": "cuckmq",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 9_000,
}

SERVER_DEFAULTS: Final[dict[str, str]] = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "9000",  # ms; also ends who is connected and reads no more
    "client_connection_check_interval": "5000",  # ms; while a statement runs, or waits for a lock
}
"""What a server is told. Those that it does not know, or that its system lacks, are left out."""

HELLO_SECS: Final = 5.0
"""How long a question may take that costs the server nothing. `connect_timeout` is for the login alone."""

_told: Final[WeakKeyDictionary[Any, dict[str, str]]] = WeakKeyDictionary()
"""Which of these each session was told, by connection."""

_BEGIN: Final = """
select
    pg_catalog.pg_backend_pid(),
    case when pg_catalog.pg_backend_pid() operator(pg_catalog.=) {pid}
        then pg_catalog.set_config('default_transaction_isolation', 'read committed', false)
    end,
    (
        select pg_catalog.json_object_agg(
            known.name, pg_catalog.set_config(known.name, wanted.setting, false)
        )
        from pg_catalog.pg_settings as known, (values {wanted}) as wanted (name, setting)
        where pg_catalog.pg_backend_pid() operator(pg_catalog.=) {pid}
            and known.name operator(pg_catalog.=) wanted.name
            and known.source operator(pg_catalog.<>) all (
                array['client', 'user', 'database', 'database user', 'session']
            )
            and (
                known.name operator(pg_catalog.<>) 'client_connection_check_interval'
                or pg_catalog.strpos(pg_catalog.version(), 'linux') operator(pg_catalog.>) 0
            )
    )
"""


def with_defaults(dsn: str) -> str:
    """Add to a DSN what it does not say itself.

    Raises:
        ConfigurationError: the DSN cannot be read.
    """
    parameters: dict[str, Any] = {**DEFAULTS, **conninfo_to_dict(dsn)}
    return make_conninfo("", **parameters)


async def connect(dsn: str) -> psycopg.AsyncConnection[Any]:
    """Open a connection of one's own, ready for statements."""
    connection = await AttentiveConnection.connect(with_defaults(dsn), autocommit=True)
    try:
        await configure(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


def connect_sync(dsn: str) -> psycopg.Connection[Any]:
    """Do what connect() does, in the sync world."""
    connection = PreparingConnection[Any].connect(with_defaults(dsn), autocommit=True)
    try:
        configure_sync(connection)
    except BaseException:
        connection.close()
        raise
    return connection


async def configure(connection: psycopg.AsyncConnection[Any]) -> None:
    """Prepare a new connection: learn whether it is direct, and if not, keep the session plain."""
    with cut_when_late(connection, HELLO_SECS):
        cursor = await connection.execute(_begin(connection), prepare=False)
        _learn(connection, await cursor.fetchone())


def configure_sync(connection: psycopg.Connection[Any]) -> None:
    """Do what configure() does, in the sync world."""
    with _cut_when_late_sync(connection, HELLO_SECS):
        _learn(connection, connection.execute(_begin(connection), prepare=False).fetchone())


def beginning_again(connection: psycopg.AsyncConnection[Any]) -> bytes:
    """Return what tells a session once more, after `reset all`, what it was told at the beginning.

    Asking the server for all of its settings a second time would take it a millisecond.
    """
    told = {**_told.get(connection, {}), "default_transaction_isolation": "read committed"}
    return "".join(f"set {name} = '{setting}'; " for name, setting in told.items()).encode()


def _learn(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any], row: Any) -> None:
    if row is None or row[0] != connection.info.backend_pid:
        connection.prepare_threshold = None
    else:
        _told[connection] = row[2] or {}


def _begin(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> bytes:
    wanted = ", ".join(f"('{name}', '{setting}')" for name, setting in SERVER_DEFAULTS.items())
    return _BEGIN.format(pid=connection.info.backend_pid, wanted=wanted).encode()


def cut(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
    """Shut the socket down, from whichever thread: who waits for an answer gets an error at once.

    To be used when the answer can matter no more and may never come. Cancelling would ask the very network
    that went silent, and wait for it.
    """
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as twin:
        twin.shutdown(socket.SHUT_RDWR)


async def check(connection: psycopg.AsyncConnection[Any]) -> None:
    """Refuse a pooled connection that the server has closed. Costs no round trip while it is sound.

    An idle connection has nothing to say; if there is something to read, it is most likely the end.
    Only then the server is asked.
    """
    if has_something_to_read(connection):
        with cut_when_late(connection, HELLO_SECS):
            await AsyncConnectionPool.check_connection(connection)


def check_sync(connection: psycopg.Connection[Any]) -> None:
    """Do what check() does, in the sync world."""
    if has_something_to_read(connection):
        with _cut_when_late_sync(connection, HELLO_SECS):
            ConnectionPool.check_connection(connection)


@contextmanager
def cut_when_late(connection: psycopg.AsyncConnection[Any], secs: float) -> Generator[None]:
    """Cut the connection if the block takes longer: for questions that cost the server nothing."""
    timer = asyncio.get_running_loop().call_later(secs, cut, connection)
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _cut_when_late_sync(connection: psycopg.Connection[Any], secs: float) -> Generator[None]:
    timer = threading.Timer(secs, cut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def has_something_to_read(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> bool:
    """Whether the server has said something that nobody asked for."""
    if sys.platform == "win32":
        return bool(select.select([connection.fileno()], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def is_direct(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> bool:
    """Whether this connection has a server session of its own. Poolers name a process that is not there."""
    return connection.prepare_threshold is not None
