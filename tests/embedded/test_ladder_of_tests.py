"""The ladder on which the tests themselves find their server."""

from __future__ import annotations

import inspect
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.database import docker, rungs
from tests.support.database.docker import ContainerError, container_class, engine_answers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(bare_directory, monkeypatch):
    """A socket on which a Docker engine may answer, and what it shall answer."""
    bare_directory.mkdir()
    path = bare_directory / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    answer: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(1000)
                client.sendall(answer[0])

        thread = threading.Thread(target=serve, daemon=True)
        yield lambda says: (answer.append(says), thread.start())


def test_an_engine_that_answers_is_seen(engine):
    engine(b"HTTP/1.0 200 OK\r\n\r\nOK")
    assert engine_answers()


def test_an_engine_that_refuses_is_none(engine):
    engine(b"HTTP/1.0 500 Internal Server Error\r\n\r\n")
    assert not engine_answers()


def test_an_engine_that_hangs_is_none(engine):
    assert not engine_answers(timeout_secs=0.1)


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "ssh://somewhere"])
def test_no_engine_is_none(monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", host)
    assert not engine_answers()


def test_the_container_class_takes_what_we_give_it():
    assert "driver" in inspect.signature(container_class()).parameters


def test_a_named_server_goes_before_all(monkeypatch, dsn):
    monkeypatch.setenv("CUCKMQ_TEST_DATABASE_URL", dsn)
    monkeypatch.setattr(rungs, "engine_answers", lambda: pytest.fail("nobody else is asked"))
    server = rungs.start_server()
    assert (server.dsn, server.rung) == (dsn, "from CUCKMQ_TEST_DATABASE_URL")


def test_a_container_that_does_not_come_up_is_told_in_the_header(monkeypatch):
    def fail(_: int | None) -> docker.Container:
        raise ContainerError("no such image")

    monkeypatch.delenv("CUCKMQ_TEST_DATABASE_URL", raising=False)
    monkeypatch.delenv("CUCKMQ_PG_BIN", raising=False)
    monkeypatch.setattr(rungs, "engine_answers", lambda: True)
    monkeypatch.setattr(rungs, "start_container", fail)
    server = rungs.start_server()
    server.close()
    assert "started from" in str(server)
    assert "no such image" in str(server)


def test_a_run_without_any_server_fails_and_says_why(tmp_path):
    """It never passes with its tests left out."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/embedded/test_fixtures.py"],
        cwd=ROOT,
        env={"CUCKMQ_PG_BIN": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "tests need a PostgreSQL server" in run.stderr
    assert "CUCKMQ_TEST_DATABASE_URL" in run.stderr
