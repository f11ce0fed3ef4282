"""`cuckmq demo`, at a small scale, and what it leaves behind: nothing."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Command, RunCommand
from tests.support.eventually import eventually_sync


def demo_schemas(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "select nspname from pg_namespace where nspname like 'cuckmq_demo_%'"
        ).fetchall()
    return [row[0] for row in rows]


def worker_pids(command: Command) -> list[int]:
    found = re.search(r"pids (\d+) and (\d+)", command.stdout)
    assert found is not None
    return [int(found[1]), int(found[2])]


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_every_job_is_accounted_for(run: RunCommand, dsn: str, tmp_path: Path) -> None:
    """The demo kills a worker, and ends with nothing lost and nothing left."""
    command = run("demo", "--jobs", "300", "--database-url", dsn, TMPDIR=str(tmp_path))
    assert command.wait(90) == 0, command.stdout + command.stderr
    lines = command.stdout.splitlines()
    assert re.match(r"✓ PostgreSQL \d+", lines[0])
    assert "killed with SIGKILL in the middle of" in command.stdout
    assert "are accounted for" in command.stdout
    assert "check_invariants() finds nothing wrong" in command.stdout
    assert "\x1b" not in command.stdout
    assert re.search(r"^REPORT +\d+ +- +- +[1-9]", command.stdout, re.MULTILINE)
    assert command.stderr == ""
    assert all(is_gone(pid) for pid in worker_pids(command))
    assert demo_schemas(dsn) == []
    assert list(tmp_path.glob("cuckmq-*")) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_broken_off_it_cleans_up(
    run: RunCommand, dsn: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = run("demo", "--database-url", dsn, TMPDIR=str(tmp_path))
    command.says("are at work", timeout_secs=40)
    command.signal(number)
    assert command.wait(30) == code, command.stderr
    assert all(is_gone(pid) for pid in worker_pids(command))
    assert demo_schemas(dsn) == []
    assert list(tmp_path.glob("cuckmq-*")) == []
    assert "Traceback" not in command.stderr


def test_killed_it_leaves_no_worker_behind(run: RunCommand, dsn: str, tmp_path: Path) -> None:
    command = run("demo", "--database-url", dsn, TMPDIR=str(tmp_path))
    command.says("are at work", timeout_secs=40)
    command.process.kill()
    command.wait()
    for pid in worker_pids(command):
        eventually_sync(lambda pid=pid: is_gone(pid), why="the worker process is gone")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for schema in demo_schemas(dsn):
            connection.execute(f'drop schema "{schema}" cascade')


def test_without_a_database_it_brings_its_own(run: RunCommand, tmp_path: Path) -> None:
    """A4: a server of its own, which is gone afterwards."""
    command = run("demo", "--jobs", "100", database=None, TMPDIR=str(tmp_path))
    assert command.wait(100) == 0, command.stdout + command.stderr
    assert "embedded, thrown away afterwards" in command.stdout.splitlines()[0]
    eventually_sync(lambda: not list(tmp_path.glob("cuckmq-*")), why="its files are gone")


def test_a_database_that_cannot_be_reached_is_one_line(run: RunCommand) -> None:
    command = run("demo", "--database-url", "host=127.0.0.1 port=1")
    assert command.wait() == 1
    assert command.stderr.startswith("cuckmq: cannot reach the database: ")
