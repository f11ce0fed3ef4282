"""`cuckmq migrate`: create the queue's schema, or bring it up to date."""

from __future__ import annotations

import asyncio

import click

from cuckmq.cli.place import place_of, server_version
from cuckmq.cli.show import say
from cuckmq.database.locate import for_libpq, locate_database
from cuckmq.database.migrate import migrate
from cuckmq.names import check_schema_name
from cuckmq.schema import SCHEMA_VERSION, generate_migration_sql


@click.command("migrate")
@click.option("--database-url", metavar="DSN",
              help="Default: CUCKMQ_DATABASE_URL, then DATABASE_URL, "
              "then an embedded one in .cuckmq/.")  # fmt: skip
@click.option("--schema", default="_cuckmq", show_default=True, help="The schema that holds the queue.")
@click.option("--sql", "is_sql_wanted", is_flag=True, help="Print the SQL and touch nothing; for psql.")
@click.option("--roles", "has_roles", is_flag=True, help="Make roles for producers, workers and observers.")
@click.option("--role-prefix", metavar="NAME",
              help="What their names begin with; implies --roles. By default the schema.")  # fmt: skip
def command(
    database_url: str | None, schema: str, is_sql_wanted: bool, has_roles: bool, role_prefix: str | None
) -> None:
    """Create the queue's schema, or bring it up to date.

    Safe to repeat, also by many at once. Needs a role that may create the schema, or owns it.
    """
    check_schema_name(schema)
    roles: bool | str = has_roles if role_prefix is None else check_schema_name(role_prefix)
    if is_sql_wanted:
        click.echo(write_script(schema, roles=roles), nl=False)
        return
    located = locate_database(database_url and for_libpq(database_url, "--database-url"))
    try:
        version = server_version(located.dsn)
        schema_version = asyncio.run(migrate(located.dsn, schema, roles=roles))
        say("done", f'schema "{schema}" is at version {schema_version}',
            f"PostgreSQL {version}, {place_of(located.dsn)}")  # fmt: skip
    finally:
        located.close()


def write_script(schema: str, *, roles: bool | str = False) -> str:
    """Write the migration as a script: all of it or nothing takes effect, however often it is run."""
    head = f'-- cuckmq: schema "{schema}", version {SCHEMA_VERSION}. May be run again.\n'
    body = "\n".join(f"{fragment.rstrip()};\n" for fragment in generate_migration_sql(schema, roles=roles))
    return f"{head}begin;\n\n{body}\ncommit;\n"
