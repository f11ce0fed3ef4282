"""The house's log: what is written there may fail, and takes nothing with it.

Handlers of logging belong to the program: one may raise, and even Python's own raises when stderr is closed.
A line is often written where something has just gone wrong: in a lane that ends an attempt, in the heart, in
a duty's own rescue. An exception from there would end the lane, the heart or the duty. So a line that cannot
be written is dropped; there is nobody left to tell.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any


class Log(logging.LoggerAdapter[logging.Logger]):
    """A logger whose lines do no harm; an adapter, since the logger may be older than this module."""

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        """Write a line, as from whoever called; all words (`warning`, `exception`...) come through here."""
        with contextlib.suppress(Exception):
            self.logger.log(level, msg, *args, stacklevel=2, **options)


def get_log(name: str) -> Log:
    """Give the log of this name, as `logging.getLogger` does."""
    return Log(logging.getLogger(name))
