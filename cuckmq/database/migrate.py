"""Bring the database to this library's schema, and tell whether it is there."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors as pg

from cuckmq.database.connect import connect
from cuckmq.database.run import missing_schema, run
from cuckmq.errors import SchemaMissing, SchemaOutdated, SchemaTooNew
from cuckmq.protocol import inspect
from cuckmq.schema import SCHEMA_VERSION, functions_fingerprint, generate_migration_sql


async def migrate(dsn: str, schema: str, *, roles: bool | str = False) -> None:
    """Apply the migration, each fragment in a transaction of its own.

    Safe to repeat, and safe beside others doing the same: they wait for each other and find the work
    done. Needs a role that may create the schema, or owns it.
    """
    connection = await connect(dsn)
    try:
        for fragment in generate_migration_sql(schema, roles=roles):
            await connection.execute(fragment.encode(), prepare=False)
    finally:
        await connection.close()


async def check_schema(connection: psycopg.AsyncConnection[Any], schema: str) -> None:
    """Refuse a schema that this library cannot work with.

    Raises:
        SchemaMissing: it was never migrated.
        SchemaOutdated: its tables or functions are older than this library's.
        SchemaTooNew: its tables are newer.
    """
    try:
        rows = await run(connection, inspect.find_version(), schema)
    except (SchemaOutdated, pg.UndefinedTable):
        rows = []
    if not rows:
        raise SchemaMissing(missing_schema(schema))
    version, fingerprint = rows[0]
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(
            f'schema "{schema}" is at version {version}, and this cuckmq knows version {SCHEMA_VERSION}: '
            "upgrade the library"
        )
    if version < SCHEMA_VERSION or fingerprint != functions_fingerprint():
        raise SchemaOutdated(
            f'schema "{schema}" is at version {version} and not as this cuckmq needs it: '
            f"run `cuckmq migrate --schema {schema}`, or `await context.migrate()`"
        )
