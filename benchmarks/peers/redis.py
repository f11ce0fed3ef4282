"""A redis-server for one measurement, on a free port of the loopback interface."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.peers.environment import Missing, redis_server

START_SECS: Final = 10.0


@contextmanager
def redis() -> Iterator[int]:
    """Give the port of a fresh server, with its append-only file written through every second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [
                redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
                "--appendonly", "yes", "--appendfsync", "everysec",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port)
            yield port
        finally:
            server.terminate()
            server.wait()


def length(port: int, *keys: str) -> int:
    """Count what the lists hold together."""
    total = 0
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        for key in keys:
            connection.sendall(f"LLEN {key}\r\n".encode())
            answer = answers.readline()
            if not answer.startswith(b":"):
                raise RuntimeError(f"redis said {answer!r}")
            total += int(answer[1:])
    return total


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise Missing("redis-server did not start") from error
            time.sleep(0.02)
