"""What a worker and its processes say to each other: JSON objects, each behind its length.

JSON and not pickle: what comes from the database, or out of a process that runs whatever the job needs, must
not be able to run code where it is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, Final, TypeAlias

Frame: TypeAlias = dict[str, Any]

_LENGTH_BYTES: Final = 8
_MAX_READ_BYTES: Final = 1 << 20


def write_frame(fd: int, frame: Frame) -> None:
    """Write one frame, all of it. Raises OSError when nobody reads any more."""
    body = json.dumps(frame).encode("ascii")
    rest = memoryview(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
    while rest:
        rest = rest[os.write(fd, rest) :]


def read_frame(fd: int, is_over: Callable[[], bool] | None = None) -> Frame | None:
    """Read one frame; None at the end of the pipe, also in the middle of one.

    Args:
        fd: where.
        is_over: waits for something to read; tells whether nothing will come any more.
    """
    head = _read(fd, _LENGTH_BYTES, is_over)
    body = None if head is None else _read(fd, int.from_bytes(head, "big"), is_over)
    if body is None:
        return None
    frame: Frame = json.loads(body)
    return frame


def _read(fd: int, num_bytes: int, is_over: Callable[[], bool] | None) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < num_bytes:
        if is_over is not None and is_over():
            return None
        piece = os.read(fd, min(num_bytes - len(pieces), _MAX_READ_BYTES))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)
