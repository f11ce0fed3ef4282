"""What is true of other processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"


def is_gone(pid: int) -> bool:
    """Whether a process has ended. One that nobody has buried yet has ended too."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    # The name, in parentheses, may hold anything; the state follows it.
    return stat.rpartition(")")[2].split()[0] in {"Z", "X"}


def family_of(pid: int) -> Iterator[int]:
    """Give a process and all that it has started, and they."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family_of(int(child))


def ports_of(pid: int) -> set[int]:
    """Tell on which TCP ports a process listens."""
    own: set[str] = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            own.add(str(file.readlink()))
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
            if state == _LISTEN and f"socket:[{inode}]" in own:
                ports.add(int(local.rpartition(":")[2], 16))
    return ports
