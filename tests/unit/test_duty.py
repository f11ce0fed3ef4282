"""A duty ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib

from cuckmq._runtime.duty import DutyLoop


class DeafDuty:
    """Loses the cancellation that comes during its turn, as asyncio.wait_for may in Python 3.11."""

    name = "deaf"

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.num_turns = 0

    async def turn(self) -> float:
        self.num_turns += 1
        self.has_begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return 0.0

    def trouble(self) -> None:
        raise AssertionError("nothing failed")


async def test_stop_ends_a_duty_that_lost_its_cancellation() -> None:
    duty = DeafDuty()
    loop = DutyLoop(duty)
    loop.start()
    await duty.has_begun.wait()
    await asyncio.wait_for(loop.stop(), 5)
    assert duty.num_turns == 1
