"""Cancels jobs at any moment of their lives, and writes down what it was answered."""

from __future__ import annotations

import asyncio
import random
from collections import deque

import psycopg
from psycopg_pool import PoolTimeout

from cuckmq import Context
from cuckmq.protocol.cancel import cancel
from tests.reliability.soak.history import Journal

PAUSE_SECS = 0.2


async def cancel_some(
    context: Context,
    journal: Journal,
    *,
    seed: int,
    secs: float,
    recent: deque[int],
    lingering: deque[tuple[float, int]],
) -> None:
    """Cancel a job now and then for so many seconds, and each that lingers, until there is an answer.

    Args:
        context: of the queue.
        journal: for what was asked and answered.
        seed: of the choice.
        secs: how long.
        recent: jobs put in lately, of which some are chosen.
        lingering: jobs that end soon only if they are cancelled, each with the moment from which to do so.
    """
    dice = random.Random(f"{seed} canceller")
    loop = asyncio.get_running_loop()
    end_at = loop.time() + secs
    while lingering or loop.time() < end_at:
        await asyncio.sleep(PAUSE_SECS * dice.uniform(0.5, 1.5))
        if recent and loop.time() < end_at:
            # Most often one of the latest, which are on their way; the others have ended long ago.
            await _cancel(context, journal, recent[-min(len(recent), 1 + int(dice.expovariate(0.2)))])
        if lingering and lingering[0][0] <= loop.time():
            _, job_id = lingering[0]
            if await _cancel(context, journal, job_id):
                lingering.popleft()


async def _cancel(context: Context, journal: Journal, job_id: int) -> bool:
    journal.note("ask", job_id=job_id)
    try:
        (answer,) = await context.database.run(cancel(job_id))
    except (psycopg.Error, PoolTimeout, OSError):
        return False
    journal.note("answer", job_id=job_id, answer=answer or "ended")
    return True
