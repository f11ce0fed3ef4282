"""As whom the server runs, since PostgreSQL refuses root.

An ordinary user runs it himself. Root runs it in a user namespace (`programs/namespace`), where
nothing needs to change hands. Where namespaces are refused, as in a container with default
settings, root hands the server to an account that exists already: then the server needs quarters of
its own (`home`), and binaries that it can reach (`portable`).

No user is ever created here, and no folder that was there before changes its owner or its mode.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cuckmq.database.embedded.programs import program
from cuckmq.errors import NoDatabase

#: Whom root hands the server to, if it must: the first that exists.
STAND_INS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody PostgreSQL accepts.

    Attributes:
        prefix: goes before each command of his.
        uid, gid: whom files must be given to, if he is not the user who runs us.
    """

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @property
    def is_another(self) -> bool:
        """Whether he is not the user who runs us."""
        return self.uid is not None

    def run(self, command: list[str], **kwargs: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, and return when it has ended, with what it said."""
        return run_plainly([*self.prefix, *command], **kwargs)

    def reaches(self, path: Path, *, to: str = "x") -> bool:
        """Whether this account may use a path: `x` enter or run it, `w` write to it."""
        probe = ["/bin/sh", "-c", f'test -{to} "$0"', str(path)]
        return self.run(probe, stderr=subprocess.DEVNULL).returncode == 0

    def own(self, path: Path) -> None:
        """Give a file or a folder that we have just made to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def choose_account() -> Account:
    """Return the account that needs the least change: oneself, oneself in a namespace, a stand-in.

    Raises:
        NoDatabase: root may use none of these here.
    """
    if os.geteuid() != 0 and has_name(os.geteuid()):
        return Account()
    contained = Account(prefix=tuple(program("namespace")))
    if contained.run(["/bin/sh", "-c", ":"], stderr=subprocess.DEVNULL).returncode == 0:
        return contained
    if os.geteuid() != 0:
        # A nameless user outside of a namespace: initdb will refuse him, and tells why.
        return Account()
    return stand_in()


def stand_in() -> Account:
    """Return the account that root hands the server to.

    Raises:
        NoDatabase: neither of them exists.
    """
    for name in STAND_INS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        prefix = program("become", str(entry.pw_uid), str(entry.pw_gid))
        return Account(tuple(prefix), entry.pw_uid, entry.pw_gid)
    raise NoDatabase(
        "PostgreSQL does not run as root, user namespaces are refused here, and there is no user"
        f" {' or '.join(STAND_INS)} to run it: start cuckmq as an ordinary user, or set CUCKMQ_DATABASE_URL"
    )


def has_name(uid: int) -> bool:
    """Whether a user is in the list of users. In containers he may be just a number."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def run_plainly(command: list[str], **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """Run a command from a folder that everybody can enter, and without what would change a server.

    That is PGPORT, PGDATA and their like, and the locale.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.run(
        command,
        check=False,
        text=True,
        cwd="/",
        stdin=subprocess.DEVNULL,
        env={**kept, "LC_ALL": "C"},
        **kwargs,
    )
