"""HAProxy before two ways to a server: all goes the first way until its check fails, and then the second."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support.eventually import eventually_sync
from tests.support.pgbouncer import free_port


@contextmanager
def haproxy(ports: Sequence[int], folder: Path, *, is_shutting_sessions: bool) -> Iterator[int]:
    """Run HAProxy before these ports of the loopback, and yield its own. It is entered when it answers.

    Args:
        ports: where it passes on to; the first that is well has all new connections.
        folder: for its settings.
        is_shutting_sessions: whether those who are connected by a way that is lost are told so.
    """
    binary = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    assert binary, "haproxy is not installed: apt-get install haproxy"
    folder.mkdir()
    port = free_port()
    options = "check inter 500ms fall 2" + " on-marked-down shutdown-sessions" * is_shutting_sessions
    servers = [
        f"    server way{number} 127.0.0.1:{each} {options}{' backup' if number else ''}"
        for number, each in enumerate(ports)
    ]
    settings = folder / "haproxy.cfg"
    settings.write_text(
        "\n".join(
            [
                "defaults",
                "    mode tcp",
                "    timeout connect 1s",
                "    timeout check 1s",
                # Silence is not haproxy's to end here: some jobs are long, and those who listen hear nothing.
                "    timeout client 1h",
                "    timeout server 1h",
                "    option pgsql-check user postgres",
                "listen queue",
                f"    bind 127.0.0.1:{port}",
                *servers,
                "",
            ]
        )
    )
    process = subprocess.Popen([binary, "-db", "-f", str(settings)], stderr=subprocess.DEVNULL)
    try:
        eventually_sync(lambda: _answers(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        psycopg.connect(
            f"host=127.0.0.1 port={port} user=postgres dbname=postgres", connect_timeout=2
        ).close()
    except psycopg.OperationalError:
        return False
    return True
