"""Reading what the programs marked: sixteen bytes for each job."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple


class Mark(NamedTuple):
    """That a job was begun."""

    number: int
    at_ns: int


def read_marks(path: Path) -> list[Mark]:
    """Read a file of marks, in the order they were made; none if it is not there."""
    data = path.read_bytes() if path.exists() else b""
    return [Mark(*each) for each in struct.iter_unpack("<qq", data[: len(data) // 16 * 16])]
