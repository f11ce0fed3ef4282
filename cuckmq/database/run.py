"""Run a statement on a connection: the one place where the sync and the async world meet.

All else deals in statements, which are values. Here they are executed, and what the queue's own
functions say by SQLSTATE is turned into errors of our family.
"""

from __future__ import annotations

from typing import Any, NoReturn

import psycopg
from psycopg import errors as pg
from psycopg import pq
from psycopg.rows import tuple_row

from cuckmq.errors import (
    ChannelFull,
    ChannelInUse,
    ChannelNotFound,
    ConfigurationError,
    DefinitionNotDeployed,
    DefinitionNotFound,
    DuplicateJob,
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
        DefinitionNotDeployed, DuplicateJob, WorkerLost, NotFound, ConfigurationError: as the statement says.
        psycopg.Error: whatever else the database or the connection has to say.
    """
    try:
        # Not connection.cursor(): a caller's connection may give dicts, or cursors that bind otherwise.
        async with psycopg.AsyncCursor(connection, row_factory=tuple_row) as cursor:
            cursor.format = pq.Format.BINARY
            await cursor.execute(statement.text(schema), statement.parameters)
            return [statement.read(row) for row in await cursor.fetchall()]
    except psycopg.Error as error:
        translate(error, schema)


def run_sync(connection: psycopg.Connection[Any], statement: Statement[RowT], schema: str) -> list[RowT]:
    """Do what run() does, on a sync connection."""
    try:
        with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
            cursor.format = pq.Format.BINARY
            cursor.execute(statement.text(schema), statement.parameters)
            return [statement.read(row) for row in cursor.fetchall()]
    except psycopg.Error as error:
        translate(error, schema)


def translate(error: psycopg.Error, schema: str) -> NoReturn:
    """Raise the error of our family that this is, or the error itself."""
    told = error.diag.message_primary or str(error)
    hint = f": {error.diag.message_hint}" if error.diag.message_hint else ""
    match error.sqlstate:
        case "CQ001":
            raise DefinitionNotDeployed(f"{told}{hint}") from error
        case "CQ002":
            raise WorkerLost(told) from error
        case "CQ003":
            raise ConfigurationError(f"{told}{hint}") from error
        case "CQ404":
            raise DefinitionNotFound(f"{told}{hint}") from error
        case "CQ405":
            raise ChannelNotFound(f"{told}{hint}") from error
        case "CQ406":
            raise WorkerNotFound(f"{told}{hint}") from error
        case "CQ407":
            raise ChannelInUse(f"{told}{hint}") from error
        case "CQ429":
            raise ChannelFull(f"{told}{hint}") from error
        case "CQ409":
            raise DuplicateJob(f"{told}{hint}", job_id=int(error.diag.message_detail or 0)) from error
        case _:
            pass
    if isinstance(error, pg.InvalidSchemaName):
        raise SchemaMissing(missing_schema(schema)) from error
    if isinstance(error, (pg.UndefinedFunction, pg.UndefinedTable)) and schema in told:
        raise SchemaOutdated(
            f'schema "{schema}" lacks what this cuckmq calls: run `cuckmq migrate --schema {schema}`'
        ) from error
    raise error


def missing_schema(schema: str) -> str:
    """Say that the schema is not there, and what to do."""
    return (
        f'there is no queue in schema "{schema}" of this database: '
        f"run `cuckmq migrate --schema {schema}`, or `await context.migrate()`"
    )
