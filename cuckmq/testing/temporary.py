"""A queue that is there for one test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from cuckmq.context import Context


@asynccontextmanager
async def temporary_context(
    define: Callable[[Context], None] | None = None,
    *,
    pool_or_dsn: str | AsyncConnectionPool[Any] | None = None,
) -> AsyncGenerator[Context]:
    """Make a context with an empty queue in a schema of its own, which is dropped at the end.

    Args:
        define: adds job definitions to the context; they are deployed.
        pool_or_dsn: as for Context; without it the environment is asked, then an embedded server.
    """
    async with Context(pool_or_dsn, schema=f"test_{secrets.token_hex(6)}") as context:
        await context.migrate()
        try:
            if define is not None:
                define(context)
                await context.deploy()
            yield context
        finally:
            async with context.database.connection() as connection:
                name = sql.Identifier(context.schema)
                await connection.execute(sql.SQL("drop schema if exists {} cascade").format(name))
