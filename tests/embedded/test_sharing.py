"""One server for all who ask for it, and none when nobody does, however they went."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.database.embedded.binaries import find_binaries
from cuckmq.database.embedded.home import Home
from tests.support.eventually import eventually_sync
from tests.support.owner import Owner
from tests.support.processes import is_gone


@pytest.fixture
def home(bare_directory) -> Home:
    return Home(bare_directory / str(find_binaries().major))


def reaper_pid(home: Home) -> int:
    """Find the reaper by its command line."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    (found,) = [pid for pid in pids if not is_gone(pid) and str(home.folder) in command_line(pid)]
    return found


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def test_four_who_start_cold_at_once_share_one_server_that_outlives_all_but_the_last(bare_directory, ask):
    with ExitStack() as stack:
        owners = [stack.enter_context(Owner(bare_directory)) for _ in range(4)]
        (pid,) = {owner.pid for owner in owners}
        owners[0].kill()
        owners[1].leave()
        owners[2].kill()
        assert ask(owners[3].dsn, "select 1") == "1"
        assert not is_gone(pid)
        owners[3].kill()
        eventually_sync(lambda: is_gone(pid), why="the server has stopped after kill -9 of its last owner")


def test_it_stops_when_the_last_share_is_closed_and_starts_again_with_its_data(directory, ask, do):
    first = EmbeddedPostgres.start(directory, durable=False)
    second = EmbeddedPostgres.start(directory, durable=False)
    assert first.pid == second.pid
    do(first.dsn, "create table kept as select 1")
    first.close()
    assert ask(second.dsn, "select count(*) from kept") == "1"
    pid = second.pid
    second.close()
    eventually_sync(lambda: is_gone(pid))
    with EmbeddedPostgres.start(directory, durable=False) as third:
        assert third.pid != pid
        assert ask(third.dsn, "select count(*) from kept") == "1"


def test_who_comes_while_it_stops_gets_a_server(directory, ask):
    for _ in range(3):
        server = EmbeddedPostgres.start(directory, durable=False)
        server.close()
        with EmbeddedPostgres.start(directory, durable=False) as next_one:
            assert ask(next_one.dsn, "select 1") == "1"


def test_a_forked_child_keeps_the_share_of_its_parent(directory, ask):
    server = EmbeddedPostgres.start(directory, durable=False)
    pid = server.pid
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    server.close()
    assert ask(server.dsn, "select 1") == "1"
    os.close(writing)
    os.waitpid(child, 0)
    eventually_sync(lambda: is_gone(pid))


def test_a_killed_reaper_is_replaced_by_the_next_who_starts(directory, home):
    with EmbeddedPostgres.start(directory, durable=False) as server:
        killed = reaper_pid(home)
        os.kill(killed, signal.SIGKILL)
        eventually_sync(lambda: is_gone(killed))
        with Owner(directory) as another:
            assert another.pid == server.pid
            assert reaper_pid(home) != killed
        pid = server.pid
    eventually_sync(lambda: is_gone(pid))


def test_ctrl_c_at_the_terminal_reaches_neither_server_nor_reaper(directory, home):
    with Owner(directory, start_new_session=True) as owner:
        assert os.getsid(owner.pid) == owner.pid
        assert os.getsid(reaper_pid(home)) == reaper_pid(home)


def test_the_reaper_imports_nothing_of_ours(directory, home):
    with EmbeddedPostgres.start(directory, durable=False):
        loaded = Path(f"/proc/{reaper_pid(home)}/maps").read_text()
        assert "site-packages" not in loaded


def test_an_owner_killed_while_it_makes_the_database_leaves_nothing_half_made(bare_directory, home, ask):
    with Owner(bare_directory) as owner:
        eventually_sync(lambda: list(home.quarters.glob("initdb-*")) != [])
        owner.kill()
    assert not home.data.exists()
    with EmbeddedPostgres.start(bare_directory, durable=False) as server:
        assert ask(server.dsn, "select 1") == "1"
        assert not list(home.quarters.glob("initdb-*"))


def test_an_owner_killed_while_the_server_comes_up_leaks_none(directory, home):
    EmbeddedPostgres.start(directory, durable=False).close()
    with Owner(directory) as owner:
        eventually_sync((home.data / "postmaster.pid").exists)
        owner.kill()
    # The fixture proves the rest: neither a server nor a reaper is left.
