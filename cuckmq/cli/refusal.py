"""Errors as people want to read them: one line that says what to do, and no traceback."""

from __future__ import annotations

import re
from typing import IO, Any

import click
import psycopg
from psycopg import errors

from cuckmq.errors import CuckmqError


class Refusal(click.ClickException):
    """It cannot be done, and the message says why in a sentence. Exit code 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it to stderr."""
        click.echo(f"{click.style('cuckmq:', fg='red', bold=True)} {self.message}", file=file, err=True)


class Misuse(Refusal):
    """It was not asked rightly, and the message says how to. Exit code 2."""

    exit_code = 2


def explain(error: Exception) -> str | None:
    """Say an error in a line; None for one that is not understood, which then shows its traceback."""
    match error:
        case CuckmqError():
            return str(error)
        case psycopg.OperationalError() if error.sqlstate is None:
            return f"cannot reach the database: {_first_line(error)}"
        case psycopg.OperationalError() | errors.InsufficientPrivilege():
            return f"the database refuses: {_first_line(error)}"
        case _:
            return None


def _first_line(error: psycopg.Error) -> str:
    # The driver begins "connection failed: connection to server at ... failed: ..." and adds advice.
    lines = [line.strip() for line in str(error).strip().splitlines()]
    return re.sub(r"^connection failed: ", "", lines[0] if lines else type(error).__name__)
