"""A user's own alembic revision, as docs/migrations.md shows it, makes the queue's schema."""

from __future__ import annotations

import io
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from cuckmq import Context
from tests.docs.pages import ROOT, read_blocks
from tests.migrations.catalog import describe

ENVIRONMENT = """\
import psycopg
from alembic import context
from sqlalchemy import create_engine

engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect({dsn!r}))
with engine.connect() as connection:
    context.configure(connection=connection, version_table={table!r})
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""


@pytest.fixture
def alembic(dsn: str, schema: str, tmp_path: Path) -> Config:
    """An application's own migrations, of which the page's revision is the first."""
    (revision,) = [
        block.text for block in read_blocks(ROOT / "docs" / "migrations.md") if "down_revision" in block.text
    ]
    folder = tmp_path / "own" / "versions"
    folder.mkdir(parents=True)
    (folder / "0007_queue.py").write_text(revision.replace("_cuckmq", schema), "utf-8")
    (folder.parent / "env.py").write_text(ENVIRONMENT.format(dsn=dsn, table=f"own_{schema}"), "utf-8")
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(folder.parent))
    config.set_main_option("path_separator", "os")
    return config


async def test_up_down_up(dsn: str, schema: str, alembic: Config) -> None:
    """A3: generate_migration_sql() in a revision of the user's own, both ways."""
    try:
        command.upgrade(alembic, "head")
        first = describe(dsn, schema)
        command.downgrade(alembic, "base")
        async with Context(dsn, schema=schema) as context:
            await context.migrate()
        assert describe(dsn, schema) == first
        command.upgrade(alembic, "head")
        assert describe(dsn, schema) == first
    finally:
        with psycopg.connect(dsn) as connection:
            connection.execute(f"drop table if exists public.own_{schema}".encode())
