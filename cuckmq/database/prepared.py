"""Run the queue's own statements on a connection that is at rest, without a cursor.

A cursor serves everyone: it looks what a query is made of, whether a transaction must begin first, whether it
is worth to be prepared, whether what came back is a table, and how its owner wants rows to be made. That is
two thirds of what the client does for a small statement, and after a pause, when none of it lies in the
processor's caches any more, 0.15 ms on each side of a pickup (docs/decisions/0025). Of our own statements all
this is known. So they are handed to libpq as they are, and what a connection needs for that it keeps: how to
bind each type and read each column, and under which names the server knows which statements.

Only where nothing can be in the way: on connections of ours that commit by themselves, outside a transaction
and a pipeline. There a statement that failed before it began may simply be sent again. That is what happens
when a name is not known any more, because somebody to whom the connection was lent has said DISCARD ALL, or
when a migration has changed what a function returns.

Behind a pooler nothing is prepared: the server under a connection is another one each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, cached_property
from itertools import count
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors, pq
from psycopg.abc import PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.generators import execute
from psycopg.rows import Row

RowT = TypeVar("RowT")

MAX_PREPARED: Final = 100
"""How many statements a connection prepares. A statement whose parameters have other types is another one."""

_FORGOTTEN: Final = (errors.InvalidSqlStatementName, errors.FeatureNotSupported)
"""What the server says to a name that it does not know, and to a plan whose columns have changed."""


class Prepared:
    """What one connection knows by heart.

    Args:
        connection: whose.
    """

    __slots__ = ("_connection", "_names", "_numbers", "_pgconn", "_transformer")

    def __init__(self, connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._names: dict[tuple[bytes, tuple[int, ...]], bytes | None] = {}
        self._numbers = count(1)

    def can_run(self) -> bool:
        """Whether the connection is at rest, so that a statement may be sent without a further thought."""
        pgconn, connection = self._pgconn, self._connection
        return (
            pgconn.transaction_status == pq.TransactionStatus.IDLE
            and connection.autocommit
            and not connection.lock.locked()
            and pgconn.pipeline_status == pq.PipelineStatus.OFF
        )

    def steps(
        self, text: bytes, parameters: tuple[Any, ...], read: Callable[[tuple[Any, ...]], RowT]
    ) -> PQGen[list[RowT]]:
        """Take the steps of a statement that commits by itself; the connection waits between them.

        Args:
            text: with a `%s` or `%b` for each parameter, and no other percent sign.
            parameters: to be bound.
            read: makes a row out of a tuple.

        Returns:
            The rows.

        Raises:
            psycopg.Error: as a cursor would.
        """
        try:
            return (yield from self._steps(text, parameters, read))
        except _FORGOTTEN:
            if not self._names:
                raise
            self._names.clear()  # To deallocate them all would take a cursor's own as well.
        return (yield from self._steps(text, parameters, read))

    def _steps(
        self, text: bytes, parameters: tuple[Any, ...], read: Callable[[tuple[Any, ...]], RowT]
    ) -> PQGen[list[RowT]]:
        sql, formats = _numbered(text)
        transformer, pgconn = self._transformer, self._pgconn
        values = transformer.dump_sequence(parameters, formats)
        key = (text, transformer.types or ())
        name = self._names.get(key)
        if name is None and key in self._names:
            name = b"cuckmq_%d" % next(self._numbers)
            pgconn.send_prepare(name, sql, transformer.types)
            self._only((yield from execute(pgconn)), pq.ExecStatus.COMMAND_OK)
            self._names[key] = name
        if name is None:  # What is said once is not worth it.
            if len(self._names) < MAX_PREPARED and self._connection.prepare_threshold is not None:
                self._names[key] = None
            pgconn.send_query_params(sql, values, transformer.types, transformer.formats, pq.Format.BINARY)
        else:
            pgconn.send_query_prepared(name, values, transformer.formats, pq.Format.BINARY)
        result = self._only((yield from execute(pgconn)), pq.ExecStatus.TUPLES_OK)
        transformer.set_pgresult(result)
        rows: list[RowT] = transformer.load_rows(0, result.ntuples, read)  # type: ignore[arg-type]
        transformer.set_pgresult(None)
        return rows

    def _only(self, results: list[pq.abc.PGresult], expected: pq.ExecStatus) -> pq.abc.PGresult:
        """Take the one result there should be. An error at the commit comes after it, as another."""
        for result in results:
            if result.status != expected:
                raise errors.error_from_result(result, encoding=self._connection.info.encoding)
        return results[0]


class PreparingConnection(psycopg.Connection[Row]):
    """A sync connection that runs the queue's own statements so; AttentiveConnection is the async one."""

    @cached_property
    def prepared(self) -> Prepared:
        """The queue's own statements, as this connection knows them."""
        return Prepared(self)


@cache
def _numbered(text: bytes) -> tuple[bytes, list[PyFormat]]:
    """Number the parameters as the server wants them, and tell how each is to be sent."""
    numbers, formats = count(1), list[PyFormat]()

    def number(mark: re.Match[bytes]) -> bytes:
        formats.append(PyFormat.BINARY if mark[0] == b"%b" else PyFormat.AUTO)
        return b"$%d" % next(numbers)

    return re.sub(rb"%[sb]", number, text), formats
