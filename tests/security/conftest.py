"""A queue with its roles, and logins that are members of them and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cuckmq.schema import generate_migration_sql
from cuckmq.schema.access import ROLES
from tests.support.session import Session

PASSWORD = "only-of-tests"


@pytest.fixture
def guarded(dsn: str, schema: str) -> Iterator[str]:
    """A schema with roles, and a login `<schema>_as_<role>` in each, and one in none."""
    roles = [f"{schema}_{role}" for role in ROLES]
    logins = [f"{schema}_as_{role}" for role in (*ROLES, "stranger")]
    with psycopg.connect(dsn, autocommit=True) as connection:
        for fragment in generate_migration_sql(schema, roles=True):
            connection.execute(fragment.encode())
        for login in logins:
            connection.execute(f"create role {login} login password '{PASSWORD}'".encode())
        for role, login in zip(roles, logins, strict=False):
            connection.execute(f"grant {role} to {login}".encode())
        try:
            yield schema
        finally:
            connection.execute(f"drop schema {schema} cascade".encode())
            connection.execute(f"drop role {', '.join([*logins, *roles])}".encode())


@pytest.fixture
def login(dsn: str, guarded: str) -> Callable[[str], str]:
    """Give the DSN by which one logs in as a member of a role."""
    return lambda role: make_conninfo(dsn, user=f"{guarded}_as_{role}", password=PASSWORD)


@pytest.fixture
def owner(dsn: str, guarded: str) -> Iterator[Session]:
    with Session(dsn, guarded) as session:
        yield session


@pytest.fixture
def sessions(login: Callable[[str], str], guarded: str) -> Iterator[dict[str, Session]]:
    """A session for each role, and for a stranger."""
    opened = {role: Session(login(role), guarded) for role in (*ROLES, "stranger")}
    yield opened
    for session in opened.values():
        session.close()
