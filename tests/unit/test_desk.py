"""What lies on the desk is taken, or the dispatcher is told that nobody will take it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from cuckmq._runtime.desk import Desk
from cuckmq.protocol.exchange import Row

ROW = Row(None, 1, 1, 1, 1, datetime.now(UTC), None, None, False, 0, 0, 1, "null", None)


async def test_who_was_woken_and_gives_up_tells_the_dispatcher():
    """It looked when somebody still waited; it must look again, or the job lies there."""
    desk = Desk()
    taker = asyncio.create_task(desk.take_slice())
    await asyncio.sleep(0)
    desk.lay_down([ROW])
    desk.changed.clear()
    taker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taker
    assert desk.changed.is_set()
    assert desk.num_idle_lanes == 0
    assert desk.num_slices == 1
    assert await desk.take_slice() == [ROW]


async def test_who_gives_up_wakes_another_that_waits():
    desk = Desk()
    first, second = (asyncio.create_task(desk.take_slice()) for _ in range(2))
    await asyncio.sleep(0)
    desk.lay_down([ROW])
    first.cancel()
    assert await asyncio.wait_for(second, 5) == [ROW]


async def test_a_slice_put_back_is_taken_by_who_waits():
    desk = Desk()
    desk.lay_down([ROW])
    rows = await desk.take_slice()
    assert rows is not None
    taker = asyncio.create_task(desk.take_slice())
    await asyncio.sleep(0)
    desk.changed.clear()
    desk.put_back_slice(rows)
    assert desk.changed.is_set()
    assert await asyncio.wait_for(taker, 5) == [ROW]
