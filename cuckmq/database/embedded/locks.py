"""Locks on files, held by an open file and dropped by the kernel.

A lock of flock(2) belongs to the *open file*: it is shared by all processes that inherited it, and
gone when the last of them closed it or died. So a lock can be handed to a child, a `kill -9` leaves
none behind, and nothing here ever unlocks in words: it closes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def open_lock(path: Path) -> int:
    """Open a lock's file, not holding it. The caller closes it with `os.close`."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def share(path: Path) -> int:
    """Hold a lock together with others. Waits while somebody has it alone."""
    return _held(path, fcntl.LOCK_SH)


def try_seize(path: Path) -> int | None:
    """Hold a lock alone, or return None at once if anybody has it."""
    try:
        return _held(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


@contextmanager
def seized(path: Path) -> Generator[int]:
    """Hold a lock alone for a while. Waits for its turn."""
    lock = _held(path, fcntl.LOCK_EX)
    try:
        yield lock
    finally:
        os.close(lock)


def is_held(path: Path) -> bool:
    """Whether anybody holds a lock right now."""
    lock = try_seize(path)
    if lock is not None:
        os.close(lock)
    return lock is None


def _held(path: Path, how: int) -> int:
    lock = open_lock(path)
    try:
        fcntl.flock(lock, how)
    except BaseException:
        os.close(lock)
        raise
    return lock
