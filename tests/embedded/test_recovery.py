"""Whatever state the last life of a server left behind, it comes up again with its data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psycopg
import pytest

from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.database.embedded.home import Home
from tests.support.eventually import eventually_sync
from tests.support.owner import Owner
from tests.support.processes import is_gone


def home_of(server: EmbeddedPostgres) -> Home:
    return Home(server.directory / server.version.split(".")[0])


def test_a_killed_postmaster_is_replaced_with_all_that_was_committed(directory, ask, do):
    with EmbeddedPostgres.start(directory, durable=False) as server:
        do(server.dsn, "create table kept as select generate_series(1, 1000)")
        killed = server.pid
        # A backend that is busy outlives its postmaster for as long as it does not look up.
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            os.kill(killed, signal.SIGKILL)
            eventually_sync(lambda: is_gone(killed))
            with EmbeddedPostgres.start(directory, durable=False) as another:
                assert another.pid != killed
                assert another.dsn == server.dsn
                assert ask(server.dsn, "select count(*) from kept") == "1000"
            with pytest.raises(psycopg.OperationalError):
                connection.execute("select 1")


def test_the_reaper_of_a_killed_postmaster_stops_the_next_one(directory):
    with Owner(directory) as owner:
        os.kill(owner.pid, signal.SIGKILL)
        with Owner(directory) as another:
            pid = another.pid
            owner.kill()
    eventually_sync(lambda: is_gone(pid))


def test_killing_all_at_once_leaves_a_folder_that_starts(directory, ask, do):
    with Owner(directory) as owner:
        do(owner.dsn, "create table kept ()")
        os.kill(owner.pid, signal.SIGKILL)
        owner.kill()
    with EmbeddedPostgres.start(directory, durable=False) as server:
        assert ask(server.dsn, "select count(*) from kept") == "0"


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(directory, ask):
    with EmbeddedPostgres.start(directory, durable=False) as server:
        home = home_of(server)
        files = [home.data / "postmaster.pid", home.socket / ".s.PGSQL.5432.lock"]
        texts = [file.read_text() for file in files]
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        eventually_sync(lambda: server.pid is None)
        # As after a restart of the machine: the number is somebody else's by now.
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
            for file, text in zip(files, texts, strict=True):
                file.write_text(text.replace(str(killed), str(stranger.pid), 1))
            server.resume()
            assert ask(server.dsn, "select 1") == "1"
            assert stranger.poll() is None


def test_one_that_does_not_stop_in_good_order_is_stopped_at_once(directory, ask, monkeypatch):
    """Here because one of its processes does not hear; PostgreSQL 18 may forget to go by itself."""
    monkeypatch.setattr("cuckmq.database.embedded.server.PATIENCE_SECS", 0.5)
    with EmbeddedPostgres.start(directory, durable=False) as server:
        client = psycopg.connect(server.dsn)
        os.kill(client.info.backend_pid, signal.SIGSTOP)
        server.stop()
        assert server.pid is None
        client.close()
        server.resume()
        assert ask(server.dsn, "select 1") == "1"


def test_stopping_in_good_order_and_at_once(directory, ask):
    with EmbeddedPostgres.start(directory, durable=False) as server:
        home = home_of(server)
        server.stop()
        assert server.pid is None
        assert "database system is shut down" in home.log.read_text()
        server.resume()
        server.resume()
        server.stop(at_once=True)
        server.stop()
        assert "immediate shutdown" in home.log.read_text()
        server.resume()
        assert "was interrupted" in home.log.read_text()
        assert "immediate shutdown" in home.log.with_name("log.previous").read_text()
        assert ask(server.dsn, "select 1") == "1"


def test_a_server_that_was_started_by_hand_is_respected(directory):
    with EmbeddedPostgres.start(directory, durable=False) as server:
        home = home_of(server)
        server.stop()
        by_hand = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=home.data
        )  # all that can be seen of it: it works in the data folder
        with by_hand:
            (home.data / "postmaster.pid").write_text(f"{by_hand.pid}\n{home.data}\n")
            with pytest.raises(Exception, match=r'lock file "postmaster.pid" already exists'):
                server.resume()
        (home.data / "postmaster.pid").unlink()
