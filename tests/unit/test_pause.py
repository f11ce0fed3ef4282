"""A pause ends when it is told to, when its time is up, and whenever it is cancelled."""

from __future__ import annotations

import asyncio
import time

import pytest

from cuckmq.pause import pause


async def test_it_ends_when_the_event_is_set():
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    await asyncio.wait_for(pause(event, None), 5)


async def test_it_ends_when_its_time_is_up():
    began_at = time.monotonic()
    await pause(asyncio.Event(), 0.02)
    assert time.monotonic() - began_at >= 0.02


@pytest.mark.parametrize("num_turns", range(4))
async def test_a_cancellation_gets_through_in_the_moment_when_the_event_is_set(num_turns: int):
    """A loop of pauses ends when it is cancelled, whatever it is told at the same time."""
    event = asyncio.Event()

    async def go_on() -> None:
        while True:
            await pause(event, 5.0)
            event.clear()

    task = asyncio.create_task(go_on())
    await asyncio.sleep(0.01)
    event.set()
    for _ in range(num_turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    assert done == {task}
    assert task.cancelled()
