"""Commands of people meet claims and ends at every moment: each job goes only where its state lets it."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable

import pytest

from cuckmq import Context, JobState
from cuckmq.errors import JobNotFound
from tests.reliability.rig import Rig
from tests.support.eventually import eventually

NUM_JOBS = 400


@pytest.mark.fault("H12")
async def test_cancel_retry_and_pause_among_claims_and_ends(
    rig: Rig, queue: Context, recovered: Callable[[str, float], None]
):
    """C11: what was told to be cancelled does not begin, but by a retry; no attempt runs twice."""
    for _ in range(2):
        await rig.start(concurrency=4)
    sleep, dice, told = queue.definitions["sleep"], random.Random(12), dict[int, float]()
    handles = await sleep.enqueue_many([0.02] * NUM_JOBS)
    is_over = asyncio.Event()
    # One command at a time for each job, or nobody could say which of two was the last.
    turns = defaultdict[int, asyncio.Lock](asyncio.Lock)

    async def meddle() -> None:
        while not is_over.is_set():
            handle = dice.choice(handles)
            match dice.randrange(3):
                case 0:
                    async with turns[handle.id]:
                        # One that is taken is only asked to stop; it may begin before it hears of that.
                        if await handle.cancel() and (await handle.get()).state == JobState.CANCELLED:
                            told.setdefault(handle.id, time.monotonic())
                case 1:
                    async with turns[handle.id]:
                        await queue.jobs.retry(handle.id)
                        told.pop(handle.id, None)
                case _:
                    await queue.channels.pause("_default")
                    await queue.channels.resume("_default")

    async def have_ended() -> bool:
        counts = await queue.jobs.count()
        ended = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
        return sum(counts[state] for state in ended) == NUM_JOBS

    meddlers = [asyncio.create_task(meddle()) for _ in range(4)]
    try:
        await eventually(lambda: len(rig.log.entries("end")) > NUM_JOBS // 2, timeout_secs=40)
    finally:
        is_over.set()
        await asyncio.wait(meddlers)
    assert [task.exception() for task in meddlers] == [None] * 4
    over_at = time.monotonic()
    await eventually(have_ended, timeout_secs=40)
    recovered("H12", time.monotonic() - over_at)

    states = {handle.id: (await handle.get()).state for handle in handles}
    assert {JobState.SUCCEEDED, JobState.CANCELLED} == set(states.values())
    starts = [(entry.job_id, entry.attempt) for entry in rig.log.entries("start")]
    assert len(starts) == len(set(starts)), "no attempt runs twice"
    for job_id, at in told.items():
        late = [entry for entry in rig.log.entries("start", job_id) if entry.at > at]
        assert late == [], f"job {job_id} began after its cancellation"
    with pytest.raises(JobNotFound):
        await queue.jobs.get(10**9)
