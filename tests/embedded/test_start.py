"""A server comes up where it is asked to, safe among strangers, and as it is asked to be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.database.embedded.home import LONGEST_SOCKET
from cuckmq.errors import NoDatabase
from tests.support.eventually import eventually_sync
from tests.support.homes import has_stopped, homes


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_listens_on_a_socket_that_only_its_user_can_reach(directory, ask, monkeypatch):
    monkeypatch.setenv("PGPORT", "1")  # neither server nor client may heed it
    with EmbeddedPostgres.start(directory, durable=False) as server:
        assert ask(server.dsn, "show listen_addresses") == ""
        socket = Path(ask(server.dsn, "show unix_socket_directories").strip('"'))
        assert (socket / ".s.PGSQL.5432").is_socket()
        assert mode(socket) == mode(directory) == mode(directory / str(server.version).split(".")[0]) == 0o700


def test_a_durable_server_syncs(bare_directory, ask):
    with EmbeddedPostgres.start(bare_directory) as server:
        assert [ask(server.dsn, f"show {name}") for name in ("fsync", "full_page_writes")] == ["on", "on"]


def test_any_other_keeps_commits_through_a_crash_but_syncs_nothing(directory, ask):
    with EmbeddedPostgres.start(directory, durable=False) as server:
        assert ask(server.dsn, "show fsync") == "off"
        assert ask(server.dsn, "show synchronous_commit") == "on"


def test_settings_are_the_servers(directory, ask):
    settings = {"max_connections": "17", "application_name": 'it\'s "quoted"'}
    with EmbeddedPostgres.start(directory, durable=False, settings=settings) as server:
        assert ask(server.dsn, "show max_connections") == "17"
        assert ask(server.dsn, "select reset_val from pg_settings where name = 'application_name'") == (
            'it\'s "quoted"'
        )


def test_a_setting_that_does_not_exist_is_told_in_the_servers_words(directory):
    with pytest.raises(NoDatabase, match=r'unrecognized configuration parameter "no_such_setting"'):
        EmbeddedPostgres.start(directory, durable=False, settings={"no_such_setting": "1"})


@pytest.mark.parametrize("name", ["plain", "with blanks, a comma and 'quotes\"", "größe-%41"])
def test_the_folder_may_have_any_name(directory, ask, name):
    with EmbeddedPostgres.start(directory.rename(directory.with_name(name)), durable=False) as server:
        assert ask(server.dsn, "select 1") == "1"


def test_a_path_too_long_for_a_socket_moves_the_socket_and_cleans_up(bare_directory, ask):
    deep = bare_directory / ("a" * LONGEST_SOCKET) / ("b" * LONGEST_SOCKET)
    with EmbeddedPostgres.start(deep, durable=False) as server:
        assert ask(server.dsn, "select 1") == "1"
        socket = Path(ask(server.dsn, "show unix_socket_directories").strip('"'))
        assert bare_directory not in socket.parents
        assert mode(socket) == 0o700
        server.stop()
        server.resume()
        assert ask(server.dsn, "select 1") == "1"
    eventually_sync(lambda: not socket.exists())


def test_a_home_that_was_moved_keeps_its_database(directory, ask, do):
    with EmbeddedPostgres.start(directory, durable=False) as server:
        do(server.dsn, "create table kept ()")
        server.stop()
    # Deeper than before, too deep for a socket; then back.
    for place in (directory.with_name("a" * LONGEST_SOCKET), directory):
        eventually_sync(lambda: all(has_stopped(home) for home in homes(directory.parent)))
        next(path for path in directory.parent.iterdir()).rename(place)
        with EmbeddedPostgres.start(place, durable=False) as server:
            assert ask(server.dsn, "select count(*) from kept") == "0"


def test_a_relative_folder_is_that_of_the_moment(bare_directory, ask, monkeypatch, tmp_path):
    bare_directory.mkdir()
    monkeypatch.chdir(bare_directory)
    with EmbeddedPostgres.start(Path("here"), durable=False) as server:
        monkeypatch.chdir(tmp_path)
        assert server.directory == bare_directory / "here"
        assert ask(server.dsn, "select 1") == "1"


def test_nothing_of_a_temporary_server_is_left(ask):
    server = EmbeddedPostgres.temporary()
    assert ask(server.dsn, "select 1") == "1"
    server.close()
    server.close()
    eventually_sync(lambda: not server.directory.exists())


def test_what_was_there_keeps_its_mode_and_nobody_is_created(bare_directory):
    bare_directory.mkdir(mode=0o750)
    above = [bare_directory, *bare_directory.parents]
    before = [mode(folder) for folder in above]
    users = Path("/etc/passwd").read_bytes(), Path("/etc/group").read_bytes()
    with EmbeddedPostgres.start(bare_directory, durable=False):
        assert [mode(folder) for folder in above] == before
    assert (Path("/etc/passwd").read_bytes(), Path("/etc/group").read_bytes()) == users


def test_the_server_is_no_child_of_ours_and_keeps_nothing_of_ours_open(directory):
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        with EmbeddedPostgres.start(directory, durable=False) as server:
            status = Path(f"/proc/{server.pid}/status").read_text()
            assert f"PPid:\t{os.getpid()}\n" not in status
            os.close(writing)
            writing = -1
            assert os.read(reading, 1) == b""  # the end: nobody else holds the other side
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
