"""`cuckmq migrate`."""

from __future__ import annotations

import psycopg

from cuckmq.schema import SCHEMA_VERSION
from tests.cli.conftest import RunCommand


def version_of(dsn: str, schema: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(f'select max(version) from "{schema}".schema_version').fetchone()
    assert row is not None
    return int(row[0])


def test_it_migrates_and_may_be_repeated(run: RunCommand, dsn: str, schema: str) -> None:
    """A3: the command creates the schema, and changes nothing the second time."""
    for _ in range(2):
        command = run("migrate", "--schema", schema)
        assert command.wait() == 0, command.stderr
        assert f'schema "{schema}" is at version {SCHEMA_VERSION}' in command.stdout
    assert version_of(dsn, schema) == SCHEMA_VERSION


def test_the_option_goes_before_the_environment(run: RunCommand, dsn: str, schema: str) -> None:
    command = run("migrate", "--schema", schema, "--database-url", dsn, database="host=127.0.0.1 port=1")
    assert command.wait() == 0, command.stderr
    assert version_of(dsn, schema) == SCHEMA_VERSION


def test_sql_needs_no_database_and_is_a_script(run: RunCommand, dsn: str, schema: str) -> None:
    command = run("migrate", "--sql", "--schema", schema, database="host=127.0.0.1 port=1")
    assert command.wait() == 0, command.stderr
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(2):
            connection.pgconn.exec_(command.stdout.encode())
            assert connection.pgconn.error_message == b""
    assert version_of(dsn, schema) == SCHEMA_VERSION


def test_a_database_that_cannot_be_reached_is_one_line(run: RunCommand) -> None:
    command = run("migrate", database="host=127.0.0.1 port=1")
    assert command.wait() == 1
    assert command.stderr.startswith("cuckmq: cannot reach the database: ")
    assert "Connection refused" in command.stderr
    assert command.stderr.count("\n") == 1


def test_a_dsn_that_cannot_be_read_is_one_line(run: RunCommand) -> None:
    command = run("migrate", "--database-url", "no dsn")
    assert command.wait() == 1
    assert command.stderr.startswith("cuckmq: the DSN cannot be read: ")
    assert command.stderr.count("\n") == 1


def test_a_schema_name_that_is_not_allowed_is_refused(run: RunCommand) -> None:
    command = run("migrate", "--sql", "--schema", 'x"; drop table y; --')
    assert command.wait() == 1
    assert command.stdout == ""
    assert "is not allowed" in command.stderr
