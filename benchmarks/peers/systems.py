"""The queues that are measured, and how each is run, filled and counted from outside.

A system's program does the work (`programs/`); this module knows only its command lines, and where to count
what it has not finished. Each measurement has a database of its own, made for it and dropped after it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.peers import environment
from benchmarks.peers.marks import Mark, read_marks
from benchmarks.peers.redis import length, redis

ROOT: Final = Path(__file__).parents[2]
PROGRAM_SECS: Final = 120.0


@dataclass(frozen=True)
class System:
    """A queue that is measured.

    Attributes:
        name: for people, and of its program.
        remaining: SQL that counts the jobs that are not finished; None for one on Redis.
        version: what is measured.
        promise: what has happened when an enqueue returns.
        best, default: its settings in words.
        num_best, num_default: how many jobs to drain with either, so that it takes some seconds.
        num_many: how many to put in at once.
    """

    name: str
    remaining: str | None
    version: str
    promise: str
    best: str
    default: str
    num_best: int
    num_default: int
    num_many: int = 50_000

    @property
    def program(self) -> str:
        """The name of its program."""
        return self.name.replace("-", "_").lower()

    @property
    def is_ours(self) -> bool:
        """Whether it is the queue of this repository."""
        return self.name == "cuckmq"

    def command(self) -> list[str]:
        """Return how to start its program.

        Raises:
            Missing: it cannot be installed.
        """
        node_program = Path(__file__).parent / "programs" / f"{self.program}.mjs"
        if node_program.exists():
            return [str(environment.node()), str(node_program)]
        python = sys.executable if self.is_ours else str(environment.python())
        return [python, "-m", f"benchmarks.peers.programs.{self.program}"]


class Place:
    """A system in a database of its own, ready to be measured."""

    def __init__(self, system: System, dsn: str, folder: Path, redis_port: int | None, setting: str) -> None:
        self.system = system
        self.dsn = dsn
        self.setting = setting
        self._command = system.command()
        self._folder = folder
        self._redis_port = redis_port
        self._workers: list[tuple[subprocess.Popen[str], Path]] = []
        self._connection: psycopg.Connection[Any] | None = None

    def tell(self, verb: str, *arguments: object, marks: Path | None = None) -> str:
        """Have the program do something to its end, and return what it printed."""
        done = subprocess.run(
            [*self._command, verb, *map(str, arguments)], env=self._environment(marks), cwd=ROOT,
            capture_output=True, text=True, timeout=PROGRAM_SECS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{self.system.name} {verb}: {done.stderr.strip()[-600:]}")
        return done.stdout

    def start_worker(self, setting: str | None = None) -> subprocess.Popen[str]:
        """Start a worker process."""
        marks = self._folder / f"worker-{len(self._workers)}"
        errors = (self._folder / f"errors-{len(self._workers)}").open("w+")
        worker = subprocess.Popen(
            [*self._command, "work", setting or self.setting], env=self._environment(marks), cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=errors, text=True, start_new_session=True,
        )  # fmt: skip
        self._workers.append((worker, marks))
        return worker

    def settle(self) -> None:
        """Put the tables in order before a measurement, as after a quiet hour."""
        self.connection.execute("vacuum analyze")
        self.connection.execute("checkpoint")

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """A connection of the measurer's own."""
        if self._connection is None:
            self._connection = psycopg.connect(self.dsn, autocommit=True)
        return self._connection

    def remaining(self) -> int:
        """Count the jobs that are not finished."""
        if self.system.remaining is None:
            assert self._redis_port is not None
            return length(self._redis_port, "bull:bench:wait", "bull:bench:active")
        row = self.connection.execute(self.system.remaining.encode()).fetchone()
        return int(row[0]) if row else 0

    def marks(self) -> list[list[Mark]]:
        """Read what each worker has marked."""
        return [read_marks(path) for _, path in self._workers]

    def num_marked(self) -> int:
        """Count what the workers have marked, without reading it."""
        return sum(path.stat().st_size // 16 for _, path in self._workers if path.exists())

    def wait_for(self, num_marked: int, secs: float) -> None:
        """Wait until so many were marked.

        Raises:
            TimeoutError: it took too long, or a worker ended. Tells what the workers said.
        """
        deadline = time.monotonic() + secs
        while self.num_marked() < num_marked:
            if time.monotonic() > deadline or any(worker.poll() is not None for worker, _ in self._workers):
                said = [each.read_text()[-600:].strip() for each in self._folder.glob("errors-*")]
                raise TimeoutError(
                    f"{self.system.name}: {self.num_marked()} of {num_marked} jobs in {secs:g} s. {said}"
                )
            time.sleep(0.005)

    def tick(self, num: int, per_sec: float) -> list[float]:
        """Put in jobs at a steady rate while workers wait; the seconds from before each put to its start."""
        path = self._folder / "ticks"
        self.tell("tick", num, per_sec, marks=path)
        self.wait_for(num, 30)
        put = {mark.number: mark.at_ns for mark in read_marks(path) if mark.number >= 0}
        deadline = time.monotonic() + 10
        while True:
            started = {
                each.number: each.at_ns for marks in self.marks() for each in marks if each.number >= 0
            }
            if started.keys() >= put.keys() or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return [(started[number] - at_ns) / 1e9 for number, at_ns in put.items()]

    def stop_workers(self) -> None:
        """Kill them: what they were to do is done and counted. Twice is once."""
        for worker, _ in self._workers:
            if worker.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)  # with what it has started itself
            worker.wait()

    def close(self) -> None:
        """Stop what runs."""
        self.stop_workers()
        if self._connection is not None:
            self._connection.close()

    def _environment(self, marks: Path | None) -> dict[str, str]:
        where = {key: str(value) for key, value in conninfo_to_dict(self.dsn).items() if value}
        names = {
            "host": "PGHOST",
            "port": "PGPORT",
            "user": "PGUSER",
            "password": "PGPASSWORD",
            "dbname": "PGDATABASE",
        }
        query = "&".join(f"{key}={quote(where[key])}" for key in names if key in where and key != "dbname")
        return {
            **os.environ,
            **{variable: where[key] for key, variable in names.items() if key in where},
            "BENCH_DSN": self.dsn,
            "PEER_URL": f"postgresql:///{where['dbname']}?{query}",
            "MARKS": str(marks or self._folder / "marks"),
            "SETTING": self.setting,
            **({"REDIS_PORT": str(self._redis_port)} if self._redis_port else {}),
        }


@contextmanager
def placed(system: System, dsn: str, setting: str = "default") -> Iterator[Place]:
    """Install a system in a fresh database, and drop that at the end."""
    database = f"bench_{os.getpid()}_{time.monotonic_ns()}"
    with ExitStack() as stack:
        admin = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        admin.execute(f'create database "{database}"'.encode())
        stack.callback(admin.execute, f'drop database "{database}" with (force)'.encode())
        port = stack.enter_context(redis()) if system.remaining is None else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place = Place(system, make_conninfo(dsn, dbname=database), folder, port, setting)
        stack.callback(place.close)
        place.tell("install")
        yield place


def drain_rate(place: Place, num_jobs: int, num_workers: int = 1, secs: float = 60.0) -> float:
    """Drain what was put in; jobs a second, from the moment all workers are at work to the last one settled.

    What was done before that moment is not counted, so starting Python or Node is not measured.
    """
    place.settle()
    for _ in range(num_workers):
        place.start_worker()
    place.wait_for(num_jobs, secs)
    deadline = time.monotonic() + 10
    while place.remaining():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{place.system.name}: {place.remaining()} jobs ran and were not settled")
        time.sleep(0.005)
    ended_ns = time.monotonic_ns()
    marks = [each for each in place.marks() if each]
    if len(marks) < num_workers:
        raise RuntimeError(f"{place.system.name}: one worker did it all before the other began: more jobs")
    began_ns = max(each[0].at_ns for each in marks)
    num_counted = sum(mark.at_ns >= began_ns for each in marks for mark in each)
    return num_counted / ((ended_ns - began_ns) / 1e9)


def names(systems: Sequence[System]) -> str:
    """List them, for people."""
    return ", ".join(each.name for each in systems)
