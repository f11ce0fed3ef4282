"""Errors as people want to read them: one line that says what to do, and no traceback."""

from __future__ import annotations

import re
from typing import IO, Any

import click
import psycopg

from cuckmq.errors import CuckmqError


class Refusal(click.ClickException):
    """What stands in the way, in a sentence.

    Args:
        message: the sentence.
        exit_code: 1 when it cannot be done, 2 when it was not asked rightly.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it to stderr."""
        click.echo(f"{click.style('cuckmq:', fg='red', bold=True)} {self.message}", file=file, err=True)


def explain(error: Exception) -> str | None:
    """Say an error in a line; None for one that is not understood, which then shows its traceback."""
    match error:
        case CuckmqError():
            return str(error)
        case psycopg.OperationalError() if error.sqlstate is None:
            return f"cannot reach the database: {_first_line(error)}"
        case psycopg.OperationalError() | psycopg.errors.InsufficientPrivilege():
            return f"the database refuses: {_first_line(error)}"
        case _:
            return None


def _first_line(error: psycopg.Error) -> str:
    # The driver begins "connection failed: connection to server at ... failed: ..." and adds advice.
    lines = [line.strip() for line in str(error).strip().splitlines()]
    return re.sub(r"^connection failed: ", "", lines[0] if lines else type(error).__name__)
