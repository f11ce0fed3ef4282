"""The database for tests."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from cuckmq import Context


@pytest.fixture(scope="session")
def dsn() -> str:
    return os.environ["CUCKMQ_TEST_DATABASE_URL"]


@pytest.fixture
def schema(dsn: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(4)}"
    yield name
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'drop schema if exists "{name}" cascade')


@pytest.fixture
async def context(dsn: str, schema: str) -> AsyncIterator[Context]:
    """A context whose schema is migrated, and whose queue must be in order at the end of the test."""
    async with Context(dsn, schema=schema) as context:
        await context.migrate()
        yield context
        assert await context.jobs.find_problems() == []
