"""Who imports the package speaks to nobody and starts nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys

def refuse(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.fork"}:
        raise PermissionError(event)

sys.addaudithook(refuse)
for name in sys.argv[1:]:
    __import__(name)
"""


def run(program: str, *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *names], capture_output=True, text=True, check=False
    )


@pytest.mark.fault("I15")
def test_an_import_asks_no_network_and_starts_no_process() -> None:
    done = run(PROGRAM, "cuckmq", "cuckmq.cli", "cuckmq.testing")
    assert done.returncode == 0, done.stderr


def test_one_that_would_is_seen() -> None:
    speaks = f"{PROGRAM}\nimport socket\nsocket.create_connection(('127.0.0.1', 1))"
    assert "PermissionError: socket." in run(speaks).stderr
