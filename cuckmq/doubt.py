"""What nobody can know: whether a statement was committed whose answer never came."""

from __future__ import annotations

from typing import Any, NoReturn

import psycopg

from cuckmq.errors import EnqueueUnknown


def raise_in_doubt(
    error: psycopg.OperationalError, connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]
) -> NoReturn:
    """Raise the error of a connection on which jobs were put in; say so when it broke under them.

    Raises:
        EnqueueUnknown: it broke; the jobs may be in.
        psycopg.OperationalError: else.
    """
    if not connection.closed:
        raise error
    raise EnqueueUnknown(
        "the connection broke while jobs were put in, and they may be there or not: look for them with"
        " context.jobs, or give each a unique_key, with which trying again is safe"
    ) from error
