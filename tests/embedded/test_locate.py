"""The ladder on which an application finds its database."""

from __future__ import annotations

import subprocess

import pytest

from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.database.embedded.binaries import find_binaries
from cuckmq.database.locate import Located, Rung, for_libpq, locate_database
from cuckmq.errors import ConfigurationError, NoDatabase


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    for name in ("CUCKMQ_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_given_goes_before_what_is_set_and_ours_before_theirs(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://theirs/db")
    assert locate_database() == Located("postgresql://theirs/db", Rung.DATABASE_URL)
    monkeypatch.setenv("CUCKMQ_DATABASE_URL", "postgresql://ours/db")
    assert locate_database() == Located("postgresql://ours/db", Rung.CUCKMQ_DATABASE_URL)
    assert locate_database("postgresql://given/db") == Located("postgresql://given/db", Rung.GIVEN)


def test_an_empty_variable_is_not_set(monkeypatch):
    monkeypatch.setenv("CUCKMQ_DATABASE_URL", "")
    monkeypatch.setenv("DATABASE_URL", "host=/run dbname=db")
    assert locate_database("") == Located("host=/run dbname=db", Rung.DATABASE_URL)


def test_what_is_said_of_it_holds_no_password(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@there/db")
    assert str(locate_database()) == "PostgreSQL from DATABASE_URL"


def test_with_nothing_named_a_server_starts_in_the_projects_own_folder(bare_directory, monkeypatch, ask):
    bare_directory.mkdir()
    monkeypatch.chdir(bare_directory)
    with locate_database() as located:
        assert located.rung is Rung.EMBEDDED
        assert isinstance(located.server, EmbeddedPostgres)
        assert ask(located.dsn, "show fsync") == "on"
        assert str(located) == (
            f"PostgreSQL {find_binaries().version}, embedded in {bare_directory / '.cuckmq' / 'postgres'}"
        )
        with locate_database(folder=bare_directory) as another:
            assert another.dsn == located.dsn
    subprocess.run(["git", "init", "--quiet"], check=True)
    assert subprocess.run(["git", "status", "--porcelain"], check=True, stdout=subprocess.PIPE).stdout == b""


def test_without_a_server_the_error_names_the_ways_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("CUCKMQ_PG_BIN", str(tmp_path))
    with pytest.raises(NoDatabase, match="set CUCKMQ_DATABASE_URL"):
        locate_database(folder=tmp_path)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
def test_urls_as_frameworks_write_them_are_read(scheme):
    assert for_libpq(f"{scheme}://me:a%20b@h1,h2/db?x=y", "X") == "postgresql://me:a%20b@h1,h2/db?x=y"


def test_another_kind_of_database_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "mysql+pymysql://h/db")
    with pytest.raises(ConfigurationError, match="DATABASE_URL names a database of the kind 'mysql'"):
        locate_database()
