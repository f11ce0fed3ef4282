"""The house itself: its floors, its sizes, its papers, its door."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import cuckmq

PACKAGE = Path(cuckmq.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_LINES = 300


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def test_the_public_names_are_these() -> None:
    assert cuckmq.__all__ == [
        "Attempt",
        "AttemptError",
        "Cancel",
        "Constant",
        "Context",
        "CuckmqError",
        "Enqueuing",
        "Exponential",
        "Fail",
        "Job",
        "JobDefinition",
        "JobHandle",
        "JobState",
        "Limits",
        "Linear",
        "Orchestrator",
        "Plugin",
        "PulledJob",
        "Puller",
        "Quadratic",
        "Retry",
        "Snooze",
        "Worker",
        "generate_migration_sql",
    ]


def test_the_public_names_are_sorted_and_there_and_nothing_else_is_imported_by_star() -> None:
    assert cuckmq.__all__ == sorted(cuckmq.__all__)
    for name in cuckmq.__all__:
        assert getattr(cuckmq, name).__doc__, f"{name} has no docstring"


def test_types_are_shipped() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_imports_point_downwards_only() -> None:
    program = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    run = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_says_what_it_is_and_is_short(module: Path) -> None:
    text = module.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)), "it has no docstring"
    assert len(text.splitlines()) <= MAX_LINES


def test_half_the_modules_are_below_a_hundred_lines() -> None:
    assert statistics.median(len(module.read_text("utf-8").splitlines()) for module in MODULES) < 100


@pytest.mark.parametrize(
    "function", sorted((PACKAGE / "schema" / "functions").iterdir()), ids=lambda file: file.stem
)
def test_an_sql_function_stands_in_a_file_of_its_name_and_opens_with_its_contract(function: Path) -> None:
    text = function.read_text("utf-8")
    assert text.startswith("-- ")
    assert text.count("create or replace function") == 1
    assert f"create or replace function {{schema}}.{function.stem}(" in text
    # A function that fixes its path cannot be inlined, and takes longer; those that must not name every
    # schema instead.
    assert "set search_path = pg_catalog, pg_temp" in text or "operator(pg_catalog." in text
    # Where sequential scans are made dear, the server would find its plans worth compiling (decision 0011).
    assert ("set enable_seqscan = off" in text) == ("set jit = off" in text)


@pytest.mark.parametrize("guest", ["click", "rich", "alembic", "sqlalchemy", "mako", "yaml", "pytest"])
def test_importing_the_library_does_not_import_the_tools(guest: str) -> None:
    program = f"import sys, cuckmq; sys.exit({guest!r} in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
