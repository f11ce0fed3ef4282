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
_READ_BYTES: Final = 1 << 16
_MAX_READ_BYTES: Final = 1 << 20


def write_frame(fd: int, frame: Frame) -> int:
    """Write one frame, all of it, and tell its length. Raises OSError when nobody reads any more."""
    body = json.dumps(frame).encode("ascii")
    whole = len(body).to_bytes(_LENGTH_BYTES, "big") + body
    num_written = os.write(fd, whole)
    while num_written < len(whole):
        num_written += os.write(fd, memoryview(whole)[num_written:])
    return num_written


class FrameReader:
    """Reads frames: as a rule, one of them by one call of the system.

    Args:
        fd: where.
        is_over: waits for something to read; tells whether nothing will come any more.
    """

    def __init__(self, fd: int, is_over: Callable[[], bool] | None = None) -> None:
        self._fd = fd
        self._is_over = is_over
        self._rest = bytearray()

    def read(self) -> Frame | None:
        """Read one frame; None at the end of the pipe, also in the middle of one."""
        if not self._fill(_LENGTH_BYTES):
            return None
        end = _LENGTH_BYTES + int.from_bytes(self._rest[:_LENGTH_BYTES], "big")
        if not self._fill(end):
            return None
        frame: Frame = json.loads(self._rest[_LENGTH_BYTES:end])
        del self._rest[:end]
        return frame

    def _fill(self, num_bytes: int) -> bool:
        """Have so many bytes here. Whether they are."""
        while (num_missing := num_bytes - len(self._rest)) > 0:
            if self._is_over is not None and self._is_over():
                return False
            piece = os.read(self._fd, min(max(num_missing, _READ_BYTES), _MAX_READ_BYTES))
            if not piece:
                return False
            self._rest += piece
        return True
