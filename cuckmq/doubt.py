"""What nobody can know: whether a statement was committed whose answer never came."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg

from cuckmq.errors import EnqueueUnknown


@contextmanager
def in_doubt(connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> Generator[None]:
    """Say so when the connection breaks under jobs that are put in.

    Raises:
        EnqueueUnknown: it broke; the jobs may be in.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        if not connection.closed:
            raise
        raise EnqueueUnknown(
            "the connection broke while jobs were put in, and they may be there or not: look for them with"
            " context.jobs, or give each a unique_key, with which trying again is safe"
        ) from error
