"""Setting up: what touches the database when, and what may be done again."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from cuckmq import Context, Orchestrator, Worker, generate_migration_sql
from cuckmq.errors import InvalidName


def test_constructing_touches_nothing() -> None:
    """A5: constructing, starting and being ready are three things."""
    context = Context("host=/nonexistent")

    @context.job(name="WORK")
    async def work() -> None: ...

    Worker(context)
    Orchestrator(context)
    assert list(context.definitions) == ["WORK"]


@pytest.mark.parametrize("daemon", [Worker, Orchestrator])
async def test_starting_says_what_stands_in_the_way(daemon: type[Worker | Orchestrator]) -> None:
    """A5: start() raises rather than retrying in secret; stop() before, after and twice does nothing."""
    async with Context("host=/nonexistent") as context:
        idle = daemon(context)
        await idle.stop()
        with pytest.raises(psycopg.OperationalError):
            await idle.start()
        await idle.stop()
        await idle.stop()


def test_the_migration_is_sql_that_anyone_can_run(dsn: str, schema: str) -> None:
    """A3: fragments in order, applied twice, in one transaction or in several."""
    fragments = generate_migration_sql(schema)
    with psycopg.connect(dsn) as connection:
        for fragment in fragments + fragments:
            connection.execute(fragment.encode())
        connection.commit()
        for fragment in fragments:
            connection.execute(fragment.encode())
            connection.commit()
    assert all(f'"{schema}"' in fragment for fragment in fragments)


@pytest.mark.parametrize("schema", ["pg_x", "a b", "", 'a"'])
def test_the_migration_refuses_a_name_it_cannot_quote(schema: str) -> None:
    with pytest.raises(InvalidName):
        generate_migration_sql(schema)


@pytest.mark.parametrize("version", [0, -1, 10_000])
def test_the_migration_knows_its_versions(version: int) -> None:
    with pytest.raises(ValueError, match=f"version {version} is not one of 1 to"):
        generate_migration_sql(version=version)


async def test_migrating_by_many_at_once(dsn: str, schema: str) -> None:
    """A3: they wait for each other and find the work done."""
    contexts = [Context(dsn, schema=schema) for _ in range(6)]
    await asyncio.gather(*(context.migrate() for context in contexts))
    assert await contexts[0].jobs.find_problems() == []
    await asyncio.gather(*(context.close() for context in contexts))
