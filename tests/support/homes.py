"""Look at the homes of embedded servers from outside."""

from __future__ import annotations

from pathlib import Path

from cuckmq.database.embedded.home import Home
from cuckmq.database.embedded.locks import is_held


def homes(parent: Path) -> list[Home]:
    """Return the homes of servers anywhere below."""
    return [Home(lock.parent) for lock in parent.rglob("owners.lock")]


def has_stopped(home: Home) -> bool:
    """Whether neither server nor reaper is left."""
    return not is_held(home.owners) and not is_held(home.server) and not is_held(home.reaper)
