"""A disk that is small, so that it can be full: a file system in memory."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cuckmq.database.embedded.account import choose_account
from tests.support.database import PrivateCluster


class SmallDisk:
    """A file system of some megabytes, which can be given more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def grow(self, size_mb: int) -> None:
        """Give it more room, as an administrator would to a disk that is full."""
        _run("mount", "-o", f"remount,size={size_mb}m", str(self.folder))


@contextmanager
def small_disk(cluster: PrivateCluster, size_mb: int) -> Iterator[SmallDisk]:
    """Mount one where a server can reach it. Only for root."""
    folder = cluster.server._home.data.parent / "small"
    folder.mkdir(mode=0o700)
    _run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0700", "tmpfs", str(folder))
    choose_account().own(folder)
    try:
        yield SmallDisk(folder)
    finally:
        # The server may still have files open there; they go when it does.
        _run("umount", "--lazy", str(folder))


def put_wal_on(disk: SmallDisk, cluster: PrivateCluster) -> None:
    """Move the log of writes there, as `initdb --waldir` would have it. The server must be stopped."""
    account, wal = choose_account(), cluster.server._home.data / "pg_wal"
    moved = disk.folder / "wal"
    shutil.copytree(wal, moved)
    for path in (moved, *moved.rglob("*")):
        account.own(path)
    moved.chmod(0o700)
    shutil.rmtree(wal)
    wal.symlink_to(moved)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
