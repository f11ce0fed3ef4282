"""A block that a signal ends: the part of a task in which daemons are used.

Daemons may be nested in a task, and several tasks may use daemons side by side; each task has one block. A
signal cancels it, as if its work were done:

- at once, while the work of the block goes on;
- once the daemon has started, if the signal came while it did: a start that is cut off could only end the
  program with an error, where the signal asked for a good end. A second signal does cut it off;
- not while a daemon stops: that is what the signal asks for. If the block is in another one, that is next.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Final

INSIST_SECS: Final = 2.0


class Stage(Enum):
    """How far a daemon's block is."""

    STARTING = "starting"
    OPEN = "open"
    LEAVING = "leaving"


class Block:
    """Of one task.

    Args:
        task: which.
    """

    def __init__(self, task: asyncio.Task[object] | None) -> None:
        self._task = task
        self._stages: dict[int, Stage] = {}
        self._num_signals = 0
        self._num_cancels = 0
        self._insisting: asyncio.TimerHandle | None = None

    def is_of(self, task: asyncio.Task[object] | None) -> bool:
        """Whether it is this task's."""
        return self._task is task

    def at(self, daemon: object, stage: Stage | None) -> None:
        """Note how far a daemon's block is; None when it is over."""
        if stage is None:
            self._stages.pop(id(daemon), None)
        else:
            self._stages[id(daemon)] = stage
        if stage is Stage.LEAVING and self._insisting is not None:
            self._insisting.cancel()
        self._cancel_if_due()

    @property
    def is_over(self) -> bool:
        """Whether the outermost daemon has been left."""
        return not self._stages

    def signal(self) -> None:
        """A signal came."""
        self._num_signals += 1
        self._cancel_if_due()

    def absorb(self, error: BaseException | None) -> bool:
        """End the cancellation that a signal began. False when it was not ours to end."""
        if self._insisting is not None:
            self._insisting.cancel()
        if not self._num_cancels or not isinstance(error, asyncio.CancelledError) or self._task is None:
            return False
        remaining = self._task.cancelling()
        for _ in range(self._num_cancels):
            remaining = self._task.uncancel()
        return remaining == 0

    def _cancel_if_due(self) -> None:
        if not self._num_signals or self._num_cancels or not self._stages:
            return
        *outer, inmost = self._stages.values()
        is_startled = inmost is Stage.STARTING and (Stage.OPEN in outer or self._num_signals > 1)
        if inmost is Stage.OPEN or is_startled:
            self._cancel()

    def _cancel(self) -> None:
        """Cancel the block, and once more as long as it goes on.

        Before Python 3.12 `asyncio.wait_for`, which drivers use too, can swallow a cancellation that
        comes in the moment when what it waits for is done.
        """
        if self._task is not None:
            self._num_cancels += 1
            self._task.cancel()
            self._insisting = asyncio.get_running_loop().call_later(INSIST_SECS, self._cancel)
