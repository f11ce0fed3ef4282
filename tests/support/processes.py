"""What is true of other processes."""

from __future__ import annotations

from pathlib import Path


def is_gone(pid: int) -> bool:
    """Whether a process has ended. One that nobody has buried yet has ended too."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    # The name, in parentheses, may hold anything; the state follows it.
    return stat.rpartition(")")[2].split()[0] in {"Z", "X"}
