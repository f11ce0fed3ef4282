"""Find the database when nobody named one.

The rungs, the first that holds is taken:

1. a DSN given in the code
2. CUCKMQ_DATABASE_URL
3. DATABASE_URL, which many platforms set
4. a server started in the folder `.cuckmq` of the current folder (`embedded`)
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.errors import ConfigurationError

#: The project's own folder. It keeps itself out of version control.
FOLDER: Final = ".cuckmq"


class Rung(StrEnum):
    """Where a database was found."""

    GIVEN = "given in the code"
    CUCKMQ_DATABASE_URL = "from CUCKMQ_DATABASE_URL"
    DATABASE_URL = "from DATABASE_URL"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Located:
    """A database that was found.

    Attributes:
        dsn: where it is, for libpq.
        rung: which rung held.
        server: the server, if one was started for this; it runs until `close()`.
    """

    dsn: str
    rung: Rung
    server: EmbeddedPostgres | None = None

    def __str__(self) -> str:
        """Say in a few words which database this is, without its password."""
        if self.server is None:
            return f"PostgreSQL {self.rung}"
        return f"PostgreSQL {self.server.version}, embedded in {self.server.directory}"

    def close(self) -> None:
        """Let go of a server that was started for this. May be called again."""
        if self.server is not None:
            self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def locate_database(dsn: str | None = None, *, folder: Path | None = None) -> Located:
    """Take the first rung that holds. It blocks for a second or two if a server has to be made.

    Args:
        dsn: given in the code. None or empty: look on.
        folder: the project's; the current one if None.

    Raises:
        ConfigurationError: a variable names something else than a PostgreSQL database.
        NoDatabase: no database was named, and no server could be started.
    """
    if dsn:
        return Located(dsn, Rung.GIVEN)
    for rung in (Rung.CUCKMQ_DATABASE_URL, Rung.DATABASE_URL):
        named = os.environ.get(rung.name)
        if named:
            return Located(for_libpq(named, rung.name), rung)
    home = project_folder(folder or Path.cwd())
    server = EmbeddedPostgres.start(home / "postgres")
    return Located(server.dsn, Rung.EMBEDDED, server)


def for_libpq(url: str, variable: str) -> str:
    """Turn a URL as frameworks write it, such as `postgresql+psycopg://...`, into what libpq reads.

    Args:
        url: or a DSN of the form `key=value`, which stays as it is.
        variable: where it came from, for the message.

    Raises:
        ConfigurationError: it is the URL of another kind of database.
    """
    found = re.match(r"([A-Za-z][\w.-]*)(\+\w+)?://", url)
    if found is None:
        return url
    if found[1].lower() not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            f"{variable} names a database of the kind {found[1]!r}, and cuckmq needs PostgreSQL:"
            " set CUCKMQ_DATABASE_URL, which goes first"
        )
    return f"postgresql://{url[found.end() :]}"


def project_folder(parent: Path) -> Path:
    """Make the project's folder, for its user alone and unseen by git, unless it is there."""
    folder = parent / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return folder
