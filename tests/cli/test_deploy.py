"""`cuckmq deploy`."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import make_conninfo

from cuckmq import Context
from tests.cli.conftest import RunCommand


async def test_it_deploys_and_may_be_repeated(run: RunCommand, context: Context, dsn: str) -> None:
    """A job can be put in by SQL afterwards, and its repeats have begun."""
    for _ in range(2):
        command = run("deploy", "app:context")
        assert command.wait() == 0, command.stderr
        assert f'schema "{context.schema}" knows 4 definitions  DIE, HOLD, TICK, TOUCH' in command.stdout
    with psycopg.connect(dsn) as connection:
        connection.execute(f"select {context.schema}.enqueue('TOUCH', '\"x\"')".encode())
    assert [each.name for each in await context.schedules.list()] == ["TICK"]


async def test_the_worker_role_may(run: RunCommand, context: Context, dsn: str) -> None:
    """And a producer's may not, and is told so in a line."""
    await context.migrate(roles=True)
    ends = {}
    with psycopg.connect(dsn, autocommit=True) as connection:
        try:
            for role in ("worker", "producer"):
                login = f"{context.schema}_{role}"
                connection.execute(f"alter role {login} login password 'x'".encode())
                command = run("deploy", "app:context", database=make_conninfo(dsn, user=login, password="x"))
                ends[role] = (command.wait(), command.stderr)
        finally:
            connection.execute(f"drop schema {context.schema} cascade".encode())
            roles = ", ".join(f"{context.schema}_{role}" for role in ("producer", "worker", "observer"))
            connection.execute(f"drop role {roles}".encode())
            await context.migrate()
    assert ends["worker"][0] == 0, ends
    assert ends["producer"][0] == 1, ends
    assert "permission denied" in ends["producer"][1]
    assert ends["producer"][1].count("\n") == 1


def test_without_a_schema_it_says_what_to_run(run: RunCommand) -> None:
    command = run("deploy", "app:context")
    assert command.wait() == 1
    assert "cuckmq migrate" in command.stderr
    assert command.stderr.count("\n") == 1


def test_an_app_without_definitions_is_a_mistake(run: RunCommand) -> None:
    command = run("deploy", "app:other")
    assert command.wait() == 2
    assert "this Context has no definitions" in command.stderr
