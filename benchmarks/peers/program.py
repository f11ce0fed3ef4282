"""What every program of a queue written in Python can be told to do. Its twin in Node is program.mjs.

    python -m benchmarks.peers.programs.NAME install
    python -m benchmarks.peers.programs.NAME fill NUM            prints the seconds that it took
    python -m benchmarks.peers.programs.NAME trickle NUM         one by one; prints the seconds
    python -m benchmarks.peers.programs.NAME tick NUM PER_SEC    one by one at that rate, marks each before
    python -m benchmarks.peers.programs.NAME work SETTING        until it is killed

Where the database is, PGHOST and its like tell; where to mark, MARKS. What programs do between opening and
closing is all that is timed. This module imports nothing but the standard library: it runs in the
environments of the peers, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

NUM_WARM: Final = 50
"""Enqueues before the clock starts, so that statements are prepared and connections are warm."""


class Queue(Protocol):
    """A queue as the programs see it."""

    async def install(self) -> None:
        """Make its tables, in a fresh database."""

    async def open(self) -> None:
        """Connect, to put in."""

    async def put(self, number: int) -> None:
        """Put in one job, committed when it returns."""

    async def put_many(self, num: int) -> None:
        """Put in so many jobs, by the quickest way there is."""

    async def work(self, setting: str) -> None:
        """Work until the end of the process, with `best` or `default` settings."""

    async def close(self) -> None:
        """Let go of what open() took."""


class Marks:
    """Sixteen bytes for each job: its number, and the moment in nanoseconds of the monotonic clock."""

    def __init__(self) -> None:
        self._file = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def add(self, number: int) -> None:
        """Write one down."""
        os.write(self._file, struct.pack("<qq", number, time.monotonic_ns()))


def payload(number: int) -> str:
    """Return what a job carries."""
    return json.dumps({"n": number})


def run(queue: Queue) -> None:
    """Do what the command line says."""
    verb, *arguments = sys.argv[1:]
    asyncio.run(VERBS[verb](queue, *arguments))


async def install(queue: Queue) -> None:
    """Make the tables."""
    await queue.install()


async def fill(queue: Queue, num: str) -> None:
    """Put in many at once."""
    await queue.open()
    began_at = time.perf_counter()
    await queue.put_many(int(num))
    print(time.perf_counter() - began_at)
    await queue.close()


async def trickle(queue: Queue, num: str) -> None:
    """Put in one by one, the next when the last is committed."""
    await queue.open()
    for _ in range(NUM_WARM):
        await queue.put(1)
    began_at = time.perf_counter()
    for _ in range(int(num)):
        await queue.put(1)
    print(time.perf_counter() - began_at)
    await queue.close()


async def tick(queue: Queue, num: str, per_sec: str) -> None:
    """Put in one by one at a steady rate, and mark the moment before each."""
    marks = Marks()
    await queue.open()
    for _ in range(NUM_WARM):
        await queue.put(-1)
    began_at = time.monotonic()
    for number in range(int(num)):
        await asyncio.sleep(began_at + number / float(per_sec) - time.monotonic())
        marks.add(number)
        await queue.put(number)
    await queue.close()


async def work(queue: Queue, setting: str) -> None:
    """Work until killed."""
    await queue.work(setting)


VERBS: Final[dict[str, Callable[..., Coroutine[Any, Any, None]]]] = {
    "install": install,
    "fill": fill,
    "trickle": trickle,
    "tick": tick,
    "work": work,
}
