"""Make a session as it was before a work function had it.

A pool gives the next who asks whatever the last has left: another role, settings, locks of the session,
channels that it listens to, temporary tables. What the queue does by itself leaves nothing, so only
connections that were in the hands of users are washed; claims, settlements and enqueues pay nothing for it.

On a direct connection that is one question after the end of the transaction, whichever way it ended: a
rollback takes back settings, but no lock of the session. Not DISCARD ALL: that would forget the prepared
statements too, which are the queue's own and cost time to make again.

Behind a pooler the session is another's as soon as the transaction has ended, and neither its settings nor
its locks are ours to clear. One thing is put right while it is still ours, before the commit of an attempt:
the role. Under another one the queue's own statements would be refused, whoever sends them next. For the
rest there is `set local`.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from cuckmq.database.connect import beginning_again, is_direct

_ROLE: Final = b"reset session authorization; reset role"
_SESSION: Final = (
    _ROLE + b"; close all; unlisten *; select pg_catalog.pg_advisory_unlock_all(); discard temp; reset all; "
)


async def wash(connection: psycopg.AsyncConnection[Any]) -> None:
    """Make a direct connection as it was when it was new. One that cannot be washed is closed."""
    if not is_direct(connection):
        return
    connection.row_factory = tuple_row
    connection.cursor_factory = psycopg.AsyncCursor
    try:
        if connection.info.transaction_status == TransactionStatus.IDLE:
            await connection.execute(_SESSION + beginning_again(connection), prepare=False)
            return
    except psycopg.Error:
        pass  # A session that nobody can put right is nobody's.
    await connection.close()


async def wash_role(connection: psycopg.AsyncConnection[Any]) -> None:
    """Leave whatever role a pooler's session was given, inside the transaction in which that was."""
    if not is_direct(connection):
        await connection.execute(_ROLE, prepare=False)
