"""The alembic environment of the queue's schema.

It holds no truth of its own: each revision applies what the package has under the same number. The
table in which alembic keeps its revision lives inside the queue's schema, so that one database can
hold several queues, each at a version of its own, and none meets the tables of your application.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import psycopg
from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from cuckmq import generate_migration_sql
from cuckmq.database.connect import with_defaults
from cuckmq.database.locate import locate_database
from cuckmq.names import check_schema_name

DRIVER = "postgresql+psycopg://"

arguments = context.get_x_argument(as_dictionary=True)
schema = check_schema_name(arguments.get("schema", "_cuckmq"))
role_prefix = arguments.get("roles")


def drop_schema_at_base(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Drop the schema once alembic has written down, in a table of that schema, that nothing is left."""
    if not heads:
        context.execute(f'drop schema "{schema}" cascade')


def configure(**options: Any) -> None:
    """Configure alembic alike for both ways of running."""
    context.configure(
        version_table_schema=schema, on_version_apply=drop_schema_at_base, schema=schema, **options
    )


def grant_roles() -> None:
    """Make and grant the roles when they are asked for: `alembic -x roles=cuckmq upgrade head`."""
    if role_prefix is not None and context.get_revision_argument() == context.get_head_revision():
        context.execute(generate_migration_sql(schema, roles=role_prefix)[-1])


def print_sql() -> None:
    """Write the SQL and run nothing: `alembic upgrade head --sql`."""
    configure(url=DRIVER, dialect_opts={"paramstyle": "named"}, transactional_ddl=True)
    with context.begin_transaction():
        context.execute(f'create schema if not exists "{schema}"')
        context.run_migrations()
        grant_roles()


def migrate(dsn: str) -> None:
    """Run what is asked in one transaction, one process after the other."""
    engine = create_engine(DRIVER, creator=lambda: psycopg.connect(with_defaults(dsn)), poolclass=NullPool)
    with engine.begin() as connection:
        configure(connection=connection)
        if not context.get_context().opts.get("dont_mutate"):
            lock = text("select pg_advisory_xact_lock(hashtextextended(:name, 0))")
            connection.execute(lock, {"name": f"{schema}:alembic"})
            connection.execute(text(f'create schema if not exists "{schema}"'))
        context.run_migrations()
        if not context.get_context().opts.get("dont_mutate"):
            grant_roles()


if context.is_offline_mode():
    print_sql()
else:
    database = locate_database(arguments.get("dsn"))
    try:
        migrate(database.dsn)
    finally:
        database.close()
