"""What every command has in common."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click import Command

import cuckmq
from cuckmq.cli import COMMANDS, main
from tests.cli.conftest import RunCommand

HEAVY = ["psycopg", "psycopg_pool", "pydantic", "rich", "alembic", "sqlalchemy", "importlib.metadata"]


def imported_by(program: str, suspects: list[str]) -> list[str]:
    script = f"import sys\n{program}\nprint(*[name for name in {suspects!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def test_help_imports_nothing_heavy() -> None:
    program = "from cuckmq.cli import main\nmain(['--help'], standalone_mode=False)"
    assert imported_by(program, HEAVY) == []


def test_the_library_imports_no_command_line() -> None:
    suspects = ["click", "rich", "alembic", "sqlalchemy", "cuckmq.cli"]
    assert imported_by("import cuckmq", [*suspects, "psycopg"]) == []
    assert imported_by("from cuckmq import *", suspects) == []


def test_every_public_name_is_found() -> None:
    assert sorted(cuckmq._HOMES) == sorted(cuckmq.__all__)
    assert set(cuckmq.__all__) <= set(dir(cuckmq))
    with pytest.raises(AttributeError, match="no attribute 'Wroker'"):
        cuckmq.Wroker  # noqa: B018


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_as_it_describes_itself(name: str) -> None:
    command = main.get_command(main.make_context("cuckmq", ["--help"], resilient_parsing=True), name)
    assert isinstance(command, Command)
    assert command.name == name
    assert (command.help or "").splitlines()[0] == COMMANDS[name]


def test_help_lists_all_commands(run: RunCommand) -> None:
    command = run("--help")
    assert command.wait() == 0
    for name, about in COMMANDS.items():
        assert name in command.stdout
        assert about in command.stdout


def test_an_unknown_command_is_misuse(run: RunCommand) -> None:
    command = run("wroker")
    assert command.wait() == 2
    assert "wroker" in command.stderr


def test_the_version_is_told(run: RunCommand) -> None:
    command = run("--version")
    assert command.wait() == 0
    assert command.stdout == f"cuckmq {cuckmq_version()}\n"


def cuckmq_version() -> str:
    from importlib.metadata import version

    return version("cuckmq")
