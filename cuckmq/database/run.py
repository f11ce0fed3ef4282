"""Run a statement on a connection: the one place where the sync and the async world meet.

All else deals in statements, which are values. Here they are executed, and what the queue's own
functions say by SQLSTATE is turned into errors of our family.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import psycopg
from psycopg import errors as pg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.rows import tuple_row

from cuckmq.database.attentive import AttentiveConnection
from cuckmq.database.prepared import PreparingConnection
from cuckmq.errors import (
    ChannelFull,
    ChannelInUse,
    ChannelNotFound,
    ConfigurationError,
    CuckmqError,
    DatabaseReadOnly,
    DefinitionNotDeployed,
    DefinitionNotFound,
    DuplicateJob,
    JobNotFound,
    SchemaMissing,
    SchemaOutdated,
    WorkerLost,
    WorkerNotFound,
)
from cuckmq.protocol.statement import RowT, Statement


async def run(
    connection: psycopg.AsyncConnection[Any], statement: Statement[RowT], schema: str
) -> list[RowT]:
    """Run a statement and read its rows. Commits only if the connection does so by itself.

    Raises:
        SchemaMissing, SchemaOutdated: the schema is not there, or lacks what the statement calls.
        DatabaseReadOnly: this server is a standby, or was demoted.
        DefinitionNotDeployed, DuplicateJob, WorkerLost, NotFound, ConfigurationError: as the statement says.
        psycopg.Error: whatever else the database or the connection has to say.
    """
    try:
        steps = _steps_at_rest(connection, statement, schema)
        if steps is not None:
            async with connection.lock:
                return await connection.wait(steps)
        # Not connection.cursor(): a caller's connection may give dicts, or cursors that bind otherwise.
        cursor = psycopg.AsyncCursor(connection, row_factory=tuple_row)
        cursor.format = pq.Format.BINARY
        await cursor.execute(statement.text(schema), statement.parameters)
        return [statement.read(row) for row in await cursor.fetchall()]
    except psycopg.Error as error:
        translate(error, schema)


def run_sync(connection: psycopg.Connection[Any], statement: Statement[RowT], schema: str) -> list[RowT]:
    """Do what run() does, on a sync connection."""
    try:
        steps = _steps_at_rest(connection, statement, schema)
        if steps is not None:
            with connection.lock:
                return connection.wait(steps)
        cursor = psycopg.Cursor(connection, row_factory=tuple_row)
        cursor.format = pq.Format.BINARY
        cursor.execute(statement.text(schema), statement.parameters)
        return [statement.read(row) for row in cursor.fetchall()]
    except psycopg.Error as error:
        translate(error, schema)


def _steps_at_rest(
    connection: psycopg.AsyncConnection[Any] | psycopg.Connection[Any],
    statement: Statement[RowT],
    schema: str,
) -> PQGen[list[RowT]] | None:
    """Give the steps of a statement that needs no cursor (see prepared.py); None on any other connection."""
    if not isinstance(connection, (AttentiveConnection, PreparingConnection)):
        return None
    if not connection.prepared.can_run():
        return None
    return connection.prepared.steps(statement.text(schema), statement.parameters, statement.read)


OURS: Final[dict[str, type[CuckmqError]]] = {
    "CQ001": DefinitionNotDeployed,
    "CQ002": WorkerLost,
    "CQ003": ConfigurationError,
    "CQ404": DefinitionNotFound,
    "CQ405": ChannelNotFound,
    "CQ406": WorkerNotFound,
    "CQ407": ChannelInUse,
    "CQ429": ChannelFull,
}
"""What the queue's own error codes mean."""
OF_JOBS: Final[dict[str, type[DuplicateJob | JobNotFound]]] = {"CQ408": JobNotFound, "CQ409": DuplicateJob}
"""And those that name a job in their detail."""


def translate(error: psycopg.Error, schema: str) -> NoReturn:
    """Raise the error of our family that this is, or the error itself."""
    told = error.diag.message_primary or str(error)
    hint = f": {error.diag.message_hint}" if error.diag.message_hint else ""
    code = error.sqlstate or ""
    if code in OURS:
        raise OURS[code](f"{told}{hint}") from error
    if code in OF_JOBS:
        raise OF_JOBS[code](f"{told}{hint}", job_id=int(error.diag.message_detail or 0)) from error
    if isinstance(error, pg.ReadOnlySqlTransaction):
        raise DatabaseReadOnly(read_only(told)) from error
    if isinstance(error, pg.InvalidSchemaName):
        raise SchemaMissing(missing_schema(schema)) from error
    if isinstance(error, (pg.UndefinedFunction, pg.UndefinedTable)) and schema in told:
        raise SchemaOutdated(
            f'schema "{schema}" lacks what this cuckmq calls: run `cuckmq migrate --schema {schema}`, '
            "or upgrade the library if the schema is the newer of the two"
        ) from error
    raise error


def read_only(told: str) -> str:
    """Say that the server takes no writes, and what to do."""
    return (
        f"the database takes no writes ({told}): it is a standby, or was demoted. Name all of its servers in "
        "the DSN and add target_session_attrs=read-write, so that connections go to the one that does"
    )


def missing_schema(schema: str) -> str:
    """Say that the schema is not there, and what to do."""
    return (
        f'there is no queue in schema "{schema}" of this database: '
        f"run `cuckmq migrate --schema {schema}`, or `await context.migrate()`"
    )
