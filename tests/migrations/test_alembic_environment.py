"""The alembic environment in migrations/ makes the schema that Context.migrate() makes."""

from __future__ import annotations

import asyncio
import io
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from cuckmq import Context
from cuckmq.schema import SCHEMA_VERSION
from tests.migrations.catalog import describe

ROOT = Path(__file__).parents[2]


@pytest.fixture
def alembic(dsn: str, schema: str) -> Config:
    arguments = Namespace(x=[f"dsn={dsn}", f"schema={schema}"])
    return Config(ROOT / "alembic.ini", cmd_opts=arguments, stdout=io.StringIO())


@pytest.fixture
def has_schema(dsn: str, schema: str) -> Callable[[], bool]:
    def look() -> bool:
        with psycopg.connect(dsn) as connection:
            found = connection.execute("select from pg_namespace where nspname = %s", (schema,)).fetchone()
        return found is not None

    return look


async def migrated(dsn: str, schema: str) -> list[tuple[object, ...]]:
    """What Context.migrate() makes, under another name, taken away again."""
    other = f"{schema}_other"
    async with Context(dsn, schema=other) as context:
        await context.migrate()
    try:
        return describe(dsn, other)
    finally:
        with psycopg.connect(dsn) as connection:
            connection.execute(f'drop schema "{other}" cascade'.encode())


def test_up_with_roles(dsn: str, schema: str, alembic: Config) -> None:
    """Asked for, roles are made and granted, also when the tables are there already."""
    command.upgrade(alembic, "head")
    alembic.cmd_opts.x.append(f"roles={schema}")
    command.upgrade(alembic, "head")
    with psycopg.connect(dsn, autocommit=True) as connection:
        granted = "select has_function_privilege(%s, %s::regproc, 'execute')"
        found = connection.execute(granted, (f"{schema}_worker", f"{schema}.exchange")).fetchone()
        assert found == (True,)
        connection.execute(f"drop schema {schema} cascade".encode())
        connection.execute(f"drop role {schema}_producer, {schema}_worker, {schema}_observer".encode())


async def test_up_down_up(dsn: str, schema: str, alembic: Config, has_schema: Callable[[], bool]) -> None:
    """A3: the alembic environment goes up, down to nothing, and up again."""
    command.upgrade(alembic, "head")
    first = describe(dsn, schema)
    command.downgrade(alembic, "base")
    assert not has_schema()

    command.upgrade(alembic, "head")
    assert describe(dsn, schema) == first == await migrated(dsn, schema)


async def test_the_printed_sql_makes_the_same_schema(dsn: str, schema: str, alembic: Config) -> None:
    """A3: `alembic upgrade head --sql` prints a script that does what the upgrade does."""
    script = io.StringIO()
    alembic.output_buffer = script
    command.upgrade(alembic, "head", sql=True)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(script.getvalue().encode())

    assert describe(dsn, schema) == await migrated(dsn, schema)


async def test_alembic_takes_over_what_migrate_made(dsn: str, schema: str, alembic: Config) -> None:
    """A3: a queue migrated by the library is accepted as it stands, jobs and all."""
    async with Context(dsn, schema=schema) as context:

        @context.job(name="KEPT")
        def kept() -> None: ...

        await context.migrate()
        await context.deploy()
        handle = await kept.enqueue()
        command.upgrade(alembic, "head")
        await context.migrate()
        assert (await handle.get()).name == "KEPT"


def test_asking_for_the_revision_changes_nothing(alembic: Config, has_schema: Callable[[], bool]) -> None:
    command.current(alembic)
    assert not has_schema()


async def test_many_at_once(dsn: str, schema: str) -> None:
    """A3: processes that start together upgrade one after the other, and all end well."""
    line = [sys.executable, "-m", "alembic", "-x", f"dsn={dsn}", "-x", f"schema={schema}", "upgrade", "head"]
    processes = [await asyncio.create_subprocess_exec(*line, cwd=ROOT) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    assert describe(dsn, schema) == await migrated(dsn, schema)


def test_a_bad_schema_name_is_refused(dsn: str) -> None:
    arguments = Namespace(x=[f"dsn={dsn}", 'schema=a"; drop schema public; --'])
    with pytest.raises(ValueError, match="is not allowed"):
        command.upgrade(Config(ROOT / "alembic.ini", cmd_opts=arguments), "head")


def test_every_packaged_version_has_its_revision() -> None:
    """A revision a version, in one line, so that neither can be forgotten when the schema changes."""
    files = sorted(path.name for path in (ROOT / "migrations" / "versions").glob("[0-9]*.py"))
    assert [int(name[:4]) for name in files] == list(range(1, SCHEMA_VERSION + 1))
