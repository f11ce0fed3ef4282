"""A place for servers, and the proof at the end of each test that none is left in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.database.embedded.binaries import find_binaries
from tests.support.database.place import place
from tests.support.eventually import eventually_sync
from tests.support.homes import has_stopped, homes


@pytest.fixture(scope="session")
def ready_made() -> Iterator[Path]:
    """A folder whose server has a database and does not run, to be copied: that is five times faster."""
    parent = Path(tempfile.mkdtemp(prefix="cuckmq-test-", dir=place()))
    with EmbeddedPostgres.start(parent / "db", durable=False) as server:
        server.stop()
    yield parent / "db"
    for home in homes(parent):
        eventually_sync(lambda home=home: has_stopped(home))
    shutil.rmtree(parent)


@pytest.fixture
def directory(bare_directory: Path, ready_made: Path) -> Path:
    """A folder for servers, with a database of the PostgreSQL that is taken by default."""
    shutil.copytree(ready_made, bare_directory)
    (bare_directory / str(find_binaries().major) / "server" / "data").chmod(0o700)
    return bare_directory


@pytest.fixture
def bare_directory() -> Iterator[Path]:
    """A folder for servers, not there yet. When the test has let go of them, nothing may be left running."""
    parent = Path(tempfile.mkdtemp(prefix="cuckmq-test-", dir=place()))
    yield parent / "db"
    for home in homes(parent):
        eventually_sync(lambda home=home: has_stopped(home), why="server and reaper have left")
        if home.quarters.is_symlink():
            shutil.rmtree(home.quarters.resolve())
    shutil.rmtree(parent)


@pytest.fixture
def do() -> Callable[[str, LiteralString], None]:
    """Have a server do something that has no answer, and commit it."""

    def do(dsn: str, statement: LiteralString) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement)

    return do


@pytest.fixture
def ask() -> Callable[[str, LiteralString], str]:
    """Ask a server something that has one answer: `ask(dsn, "show fsync")`."""

    def ask(dsn: str, question: LiteralString) -> str:
        with psycopg.connect(dsn, autocommit=True) as connection:
            row = connection.execute(question).fetchone()
        assert row is not None
        return str(row[0])

    return ask
