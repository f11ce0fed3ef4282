"""Work that begins at once: with nothing to wait for it is done, and else it is a task like any other."""

from __future__ import annotations

import asyncio

import pytest

from cuckmq.database.eager import begin, outcome


async def test_what_waits_for_nothing_is_done_at_once():
    async def work() -> int:
        return 7

    begun = begin(work())
    assert begun.done()
    assert await outcome(begun) == 7


async def test_what_fails_at_once_tells_the_one_who_waits():
    async def work() -> int:
        raise ValueError("no")

    begun = begin(work())
    with pytest.raises(ValueError, match="no"):
        await outcome(begun)


async def test_what_waits_goes_on_by_itself():
    gate, steps = asyncio.Event(), []

    async def work() -> str:
        steps.append("begun")
        await gate.wait()
        await asyncio.sleep(0)
        steps.append("done")
        return "well"

    begun = begin(work())
    assert steps == ["begun"]
    assert not begun.done()
    gate.set()
    assert await outcome(begun) == "well"
    assert steps == ["begun", "done"]


async def test_a_cancellation_reaches_the_work():
    gate, seen = asyncio.Event(), []

    async def work() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    begun = begin(work())
    assert isinstance(begun, asyncio.Future)
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outcome(begun)
    assert seen == ["cancelled"]
