"""Where the files of servers for tests lie."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

#: A file system in memory, on Linux. A cold start takes a half of the time there, or less.
MEMORY: Final = Path("/dev/shm")

#: A server for tests wants some hundred MB, a run has several. Containers often have 64 MB in all.
ROOM_BYTES: Final = 4 * 2**30


def place() -> Path:
    """Return the folder in memory if it has room, else the temp folder."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    return MEMORY if has_room else Path(tempfile.gettempdir())
