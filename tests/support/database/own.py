"""A database of one's own on a server that others use too."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo


@dataclass(frozen=True)
class Database:
    """A database that belongs to one process of the run.

    Attributes:
        dsn: how to connect to it.
        server_dsn: how to connect to the server's first database, where databases are made.
        description: which server this is, in words.
    """

    dsn: str
    server_dsn: str
    description: str


@contextmanager
def own_database(server_dsn: str, description: str, owner: str) -> Generator[Database]:
    """Make a database, and drop it at the end even if connections to it are open.

    Args:
        server_dsn: where to make it.
        description: of the server.
        owner: who it is for; a part of its name, which is unique also among runs on one server.
    """
    name = f"cuckmq_test_{owner}_{secrets.token_hex(4)}"
    execute(server_dsn, sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        # As key=value: a DSN of either form can be changed so.
        dsn = make_conninfo(**{**conninfo_to_dict(server_dsn), "dbname": name})
        yield Database(dsn, server_dsn, description)
    finally:
        execute(server_dsn, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def execute(dsn: str, statement: sql.Composed) -> None:
    """Run one statement on a connection of its own, outside of transactions."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement)
