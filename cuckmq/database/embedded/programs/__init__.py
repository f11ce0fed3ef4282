"""Small programs for a bare interpreter (`python -I -S`). They import nothing of cuckmq.

Most of them only prepare a process and then become the command that follows, so they chain::

    python detach.py  python namespace.py  postgres -D ...
"""

from __future__ import annotations

import sys
from pathlib import Path


def program(name: str, *args: str) -> list[str]:
    """Return the command that runs one of these programs.

    Args:
        name: of the module, without its suffix.
        args: what follows it.
    """
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name(f"{name}.py")), *args]
