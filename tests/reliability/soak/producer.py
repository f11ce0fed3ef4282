"""Puts in jobs of all kinds, and writes down what was acknowledged."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from cuckmq import Context
from cuckmq.errors import EnqueueUnknown
from tests.reliability.soak.crew import Task
from tests.reliability.soak.history import Journal

PAUSE_SECS = 0.02
SLOW_SECS = 4.0
KINDS = ("work", "work", "work", "block", "book", "book", "stumble", "fail")


async def produce(
    context: Context, journal: Journal, *, name: str, seed: int, secs: float, slow_share: float
) -> None:
    """Enqueue one job after the other for so many seconds; what is not acknowledged stays unknown."""
    dice = random.Random(f"{seed} {name}")
    loop = asyncio.get_running_loop()
    end_at = loop.time() + secs
    number = 0
    while loop.time() < end_at:
        number += 1
        await _enqueue(context, journal, dice, f"{name}-{number}", slow_share)
        await asyncio.sleep(PAUSE_SECS * dice.uniform(0.5, 1.5))


async def _enqueue(
    context: Context, journal: Journal, dice: random.Random, key: str, slow_share: float
) -> None:
    kind = dice.choice(KINDS)
    options: dict[str, Any] = {}
    if dice.random() < 0.4:
        # The square makes some groups far busier than others.
        options["job_group"] = f"g{int(20 * dice.random() ** 2)}"
    if dice.random() < 0.15:
        options["delay_secs"] = dice.uniform(0, 2)
    if dice.random() < 0.15:
        options["priority"] = dice.choice([1, 5])
    # Some take longer than it takes to give them to others, so that two may come to have the same one.
    is_slow = kind == "work" and "job_group" not in options and dice.random() < slow_share
    task = Task(key=key, secs=SLOW_SECS if is_slow else dice.choice([0, 0, 0.002, 0.02, 0.2]))
    is_plain = not options.keys() - {"job_group"} and kind in ("work", "block")
    journal.note("call", key=key, group=options.get("job_group"), is_plain=is_plain)
    try:
        handle = await context.definitions[kind].enqueue(task, **options)
    except (psycopg.Error, EnqueueUnknown, PoolTimeout, OSError):
        return
    journal.note("ack", key=key, job_id=handle.id)
