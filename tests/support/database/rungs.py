"""Climb the ladder, and say which rung held."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from cuckmq.database.embedded import EmbeddedPostgres
from tests.support.database.docker import ContainerError, engine_answers, start_container
from tests.support.database.place import place
from tests.support.database.settings import SETTINGS, wanted_major


@dataclass(frozen=True)
class TestServer:
    """A running server.

    Attributes:
        dsn: how to connect to it as somebody who may create databases.
        rung: where it came from, in words.
        version: such as `18.4`.
        close: lets go of it.
    """

    __test__ = False  # for pytest: this is none

    dsn: str
    rung: str
    version: str
    close: Callable[[], None]

    def __str__(self) -> str:
        return f"PostgreSQL {self.version}, {self.rung}"


def start_server() -> TestServer:
    """Start or find the server for this run of tests.

    Raises:
        NoDatabase: no rung held. The message tells what can be done.
    """
    named = os.environ.get("CUCKMQ_TEST_DATABASE_URL")
    if named:
        return TestServer(named, "from CUCKMQ_TEST_DATABASE_URL", version_of(named), lambda: None)
    remark = ""
    # Who names binaries wants these, whatever else would answer.
    if "CUCKMQ_PG_BIN" not in os.environ and engine_answers():
        try:
            container = start_container(wanted_major())
        except ContainerError as error:
            remark = f" (a Docker engine answered, but gave no server: {error})"
        else:
            return TestServer(container.dsn, "in a container", version_of(container.dsn), container.stop)
    server = EmbeddedPostgres.temporary(place(), major=wanted_major(), settings=SETTINGS)
    return TestServer(server.dsn, f"started from {server.binaries}{remark}", server.version, server.close)


def version_of(dsn: str) -> str:
    """Ask a server for its version."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("show server_version").fetchone()
    assert row is not None
    return str(row[0]).split()[0]
