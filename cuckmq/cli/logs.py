"""What daemons write while they run: one line for each thing, on stderr."""

from __future__ import annotations

import logging
import sys
from typing import Final

import click

logger: Final = logging.getLogger("cuckmq.cli")

COLORS: Final = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red"}


class LineFormatter(logging.Formatter):
    """Time, level, logger, message; the level in color where people read it."""

    def __init__(self, *, has_color: bool) -> None:
        super().__init__("%(asctime)s %(level)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        self._has_color = has_color

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as a line."""
        level = f"{record.levelname:<7}"
        color = COLORS.get(record.levelno)
        record.level = click.style(level, fg=color) if self._has_color and color else level
        return super().format(record)


def log_to_stderr() -> None:
    """Have what is logged from INFO on written to stderr, unless the app has set up logging itself."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(has_color=sys.stderr.isatty()))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
