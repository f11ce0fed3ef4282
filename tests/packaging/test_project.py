"""The files around the package: make, packaging, changelog, and the machine that runs it all."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
README = (ROOT / "README.md").read_text("utf-8")


def make(*arguments: str, path: str) -> str:
    done = subprocess.run(
        ["/usr/bin/make", *arguments],
        cwd=ROOT,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_make_alone_tells_what_there_is() -> None:
    told = make(path="/usr/bin:/bin")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert re.findall(r"make ([a-z-]+)", told) == targets
    assert {"demo", "test", "check"} <= set(targets)


def test_make_uses_uv_when_it_is_there(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    planned = make("--dry-run", "test", "demo", path=f"{tmp_path}:/usr/bin:/bin").splitlines()
    assert planned == ["uv run pytest", "uv run cuckmq demo"]


def test_make_needs_no_uv() -> None:
    planned = make("--dry-run", "--always-make", "test", path="/usr/bin:/bin").splitlines()
    assert planned[0] == "python3 -m venv .venv"
    assert planned[1] == ".venv/bin/pip install --quiet --editable '.[dev]'"
    assert planned[-1].endswith(" pytest")
    assert not any("uv" in line.split() for line in planned)


@pytest.mark.parametrize(
    "line",
    ["uv run cuckmq demo", "uv run pytest", "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]'",
     ".venv/bin/cuckmq demo", ".venv/bin/pytest"],
)  # fmt: skip
def test_the_first_screen_has_the_commands(line: str) -> None:
    first_screen = "\n".join(README.splitlines()[:20])
    assert line in first_screen


def test_ci_runs_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "set -euo pipefail" in script
    assert ".venv/bin/pytest -n 2\n" in script
    assert "make check\n" in script
    subprocess.run(["/bin/bash", "-n", ROOT / ".ci" / "run"], check=True)


def test_the_changelog_names_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## {version('cuckmq')}" in changes
    assert "## [Unreleased]" in changes
    assert version("cuckmq") == PROJECT["project"]["version"]


def test_nothing_names_a_registry_or_a_lock() -> None:
    """A lock file would hold a registry's address for each package; see .gitignore."""
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    assert {"uv.lock", ".venv/", ".cuckmq/"} <= set(ignored)
