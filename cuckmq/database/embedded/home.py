"""The folder of one server, and where in it, or outside of it, the server lives.

The home is for its user alone (0700), which makes it safe to let anybody in who reaches the socket.
Two things may have to lie elsewhere, behind a link, in folders as private as this one:

- all that the server touches, where the account that runs it cannot get here (`account`);
- the socket, since the name of a socket may have about a hundred bytes and no more.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cuckmq.database.embedded.account import Account
from cuckmq.errors import NoDatabase

PORT: Final = 5432

#: The longest name of a socket, in bytes: 107 on Linux, 103 on a Mac.
LONGEST_SOCKET: Final = 103


@dataclass(frozen=True, slots=True)
class Home:
    """Where things are. Attributes are paths; nothing need be there yet.

    Attributes:
        folder: the home itself.
    """

    folder: Path

    @property
    def owners(self) -> Path:
        """The lock of those who use the server."""
        return self.folder / "owners.lock"

    @property
    def start(self) -> Path:
        """The lock of the one who starts it."""
        return self.folder / "start.lock"

    @property
    def reaper(self) -> Path:
        """The lock of the process that will stop it."""
        return self.folder / "reaper.lock"

    @property
    def server(self) -> Path:
        """The lock of the server itself."""
        return self.folder / "server.lock"

    @property
    def quarters(self) -> Path:
        """All that the server touches. May be a link."""
        return self.folder / "server"

    @property
    def data(self) -> Path:
        """The data folder, once it is whole."""
        return self.quarters.resolve() / "data"

    @property
    def log(self) -> Path:
        """What the server said since it was started."""
        return self.quarters.resolve() / "log"

    @property
    def socket(self) -> Path:
        """The folder of the socket."""
        return (self.quarters / "socket").resolve()

    @property
    def dsn(self) -> str:
        """How to connect, as the superuser, to the database `postgres`."""
        # The port is said because PGPORT may say another.
        return f"postgresql://postgres@/postgres?host={quote(str(self.socket), safe='/')}&port={PORT}"

    def make(self) -> None:
        """Make the folder, and those above it that are missing, for us alone."""
        for folder in [*reversed(self.folder.parents), self.folder]:
            folder.mkdir(mode=0o700, exist_ok=True)

    def furnish(self, account: Account) -> None:
        """Make the server's quarters and its socket's folder, unless they are there and will do.

        To be called while no server runs: a home that was moved may need another place for its socket.
        """
        if not self.quarters.exists():
            self._make_quarters(account)
        if not (self.socket.exists() and fits(self.socket)):
            self._make_socket(account)

    def _make_quarters(self, account: Account) -> None:
        self.quarters.unlink(missing_ok=True)  # a link to what a cleaner of temp folders has removed
        if account.reaches(self.folder, to="w"):
            self.quarters.mkdir(mode=0o700)
            return
        # Not the temp folder: what is in /var/tmp survives a restart of the machine.
        elsewhere = Path(tempfile.mkdtemp(prefix="cuckmq-", dir="/var/tmp"))
        account.own(elsewhere)
        self.quarters.symlink_to(elsewhere)

    def _make_socket(self, account: Account) -> None:
        socket = self.quarters / "socket"
        if socket.is_dir() and not socket.is_symlink():
            shutil.rmtree(socket)
        socket.unlink(missing_ok=True)
        if fits(self.quarters.resolve() / "socket"):
            socket.mkdir(mode=0o700)
            account.own(socket)
            return
        elsewhere = short_folder()
        account.own(elsewhere)
        socket.symlink_to(elsewhere)


def fits(folder: Path) -> bool:
    """Whether a socket may lie in a folder: a comma would part a DSN, and a quote a setting."""
    return len(bytes(folder / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET and not {",", '"'} & set(str(folder))


def short_folder() -> Path:
    """Make a private folder in the temp folder, or in /tmp if that is too deep as well.

    Raises:
        NoDatabase: even /tmp does not do.
    """
    for place in (tempfile.gettempdir(), "/tmp"):  # noqa: S108
        folder = Path(tempfile.mkdtemp(prefix="cuckmq-", dir=place)).resolve()
        if fits(folder):
            return folder
        folder.rmdir()
    raise NoDatabase("no folder is short enough for a socket: set TMPDIR to a short path without commas")
