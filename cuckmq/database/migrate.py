"""Bring the database to this library's schema, and tell whether it is there.

A migration meets workers that run. To change a table it needs a lock that conflicts with every claim; while
it waits for one behind somebody's open transaction, all claims that come later stand in line behind it. So it
waits no longer than LOCK_TIMEOUT_SECS, lets go, and tries again a little later: the queue stalls so long
at most at a time, and goes on in between. A fragment is one statement, so a try that broke off has done
nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

import psycopg
from psycopg import errors as pg

from cuckmq.database.connect import connect
from cuckmq.database.run import missing_schema, run, run_sync
from cuckmq.errors import SchemaBusy, SchemaMissing, SchemaOutdated, SchemaTooNew
from cuckmq.protocol import inspect
from cuckmq.schema import SCHEMA_VERSION, functions_fingerprint, generate_migration_sql

LOCK_TIMEOUT_SECS: Final = 1.0
"""How long a migration waits for a lock at a time, and others behind it."""
PATIENCE_SECS: Final = 60.0
"""How long it tries for one fragment."""


async def migrate(dsn: str, schema: str, *, roles: bool | str = False) -> int:
    """Apply the migration, each fragment in a transaction of its own.

    Safe to repeat, and safe beside others doing the same: they wait for each other and find the work
    done. Needs a role that may create the schema, or owns it.

    Returns:
        The version at which the schema is; a newer one than this library's is left as it is.

    Raises:
        SchemaBusy: for a minute there was no moment in which nobody held a table that is to be changed.
        SchemaTooNew: the schema is newer, and serves this library no more.
    """
    await apply(dsn, generate_migration_sql(schema, roles=roles))
    connection = await connect(dsn)
    try:
        return await check_schema(connection, schema)
    finally:
        await connection.close()


async def apply(dsn: str, fragments: Sequence[str], *, patience_secs: float = PATIENCE_SECS) -> None:
    """Apply fragments of a migration in their order, each as soon as it gets its locks."""
    connection = await connect(dsn)
    try:
        await connection.execute(f"set lock_timeout = {round(LOCK_TIMEOUT_SECS * 1000)}".encode())
        for fragment in fragments:
            await _apply(connection, fragment, monotonic() + patience_secs)
    finally:
        await connection.close()


async def _apply(connection: psycopg.AsyncConnection[Any], fragment: str, until: float) -> None:
    while True:
        try:
            await connection.execute(fragment.encode(), prepare=False)
        except (pg.LockNotAvailable, pg.DeadlockDetected) as error:
            if monotonic() > until:
                raise SchemaBusy(
                    "the migration found no moment in which nobody held what it must change: look in"
                    " pg_stat_activity for transactions that are open for long, end them, and migrate again"
                ) from error
            # As long as it held others up, and not in step with whoever else migrates.
            await asyncio.sleep(LOCK_TIMEOUT_SECS * random.uniform(0.2, 1.0))  # noqa: S311 - no secret
        else:
            return


async def check_schema(connection: psycopg.AsyncConnection[Any], schema: str) -> int:
    """Refuse a schema that this library cannot work with. A newer one says itself whom it serves.

    Returns:
        Its version.

    Raises:
        SchemaMissing: it was never migrated.
        SchemaOutdated: its tables or functions are older than this library's.
        SchemaTooNew: it is newer, and serves this library no more.
    """
    try:
        rows = await run(connection, inspect.find_version(), schema)
    except (SchemaOutdated, pg.UndefinedTable):
        rows = []
    return _judge(rows, schema)


def check_schema_sync(connection: psycopg.Connection[Any], schema: str) -> int:
    """Do what check_schema() does, on a sync connection."""
    try:
        rows = run_sync(connection, inspect.find_version(), schema)
    except (SchemaOutdated, pg.UndefinedTable):
        rows = []
    return _judge(rows, schema)


def _judge(rows: list[inspect.SchemaVersion], schema: str) -> int:
    if not rows:
        raise SchemaMissing(missing_schema(schema))
    version, serves_from, fingerprint = rows[0]
    if serves_from > SCHEMA_VERSION:
        raise SchemaTooNew(
            f'schema "{schema}" is at version {version}, which serves libraries that know version '
            f"{serves_from}, and this cuckmq knows version {SCHEMA_VERSION}: upgrade the library"
        )
    if version < SCHEMA_VERSION or (version == SCHEMA_VERSION and fingerprint != functions_fingerprint()):
        raise SchemaOutdated(
            f'schema "{schema}" is at version {version} and not as this cuckmq needs it: '
            f"run `cuckmq migrate --schema {schema}`, or `await context.migrate()`"
        )
    return version
