"""Find the database when nobody named one."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cuckmq.errors import NoDatabase


@dataclass(frozen=True, slots=True)
class Located:
    """A database that was found.

    Attributes:
        dsn: where it is.
    """

    dsn: str

    def close(self) -> None:
        """Let go of a server that was started for this."""


def locate_database(dsn: str | None) -> Located:
    """Take the DSN given, or CUCKMQ_DATABASE_URL, or DATABASE_URL.

    Raises:
        NoDatabase: none of them is set.
    """
    found = dsn or os.environ.get("CUCKMQ_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if not found:
        raise NoDatabase("no database was named: give Context a DSN, or set CUCKMQ_DATABASE_URL")
    return Located(found)
