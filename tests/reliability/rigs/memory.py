"""A machine that runs out of memory: whoever takes too much is killed, as the kernel and earlyoom do it.

A control group would have the kernel do it, but containers seldom let their root make one. To who is killed,
and to who waits for him, it is the same: SIGKILL at any moment, and no word before.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LOOK_SECS = 0.02


@asynccontextmanager
async def memory_of(parent_pid: int, max_bytes: int) -> AsyncGenerator[list[int]]:
    """Kill each child of a process that takes more than so much; gives the list of those killed."""
    killed: list[int] = []
    guard = asyncio.create_task(_guard(parent_pid, max_bytes, killed))
    try:
        yield killed
    finally:
        guard.cancel()
        with suppress(asyncio.CancelledError):
            await guard


async def _guard(parent_pid: int, max_bytes: int, killed: list[int]) -> None:
    while True:
        for pid in _children(parent_pid):
            if pid not in killed and _resident_bytes(pid) > max_bytes:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        await asyncio.sleep(LOOK_SECS)


def _children(pid: int) -> list[int]:
    """The processes that any thread of this one has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0
