"""Puts in jobs of all kinds, and writes down what was acknowledged."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from cuckmq import Context
from cuckmq.errors import EnqueueUnknown
from tests.reliability.soak.history import Journal
from tests.reliability.soak.jobs import SLOW_SECS, Task

PAUSE_SECS = 0.02
LINGER_SECS = 20.0
"""How long jobs take that are cancelled soon."""
BURST_EVERY_SECS = 5.0
BURSTS = {"pair": 8, "pace": 10}
"""More than may be taken at a time, and little enough to be done when the next are put in."""
KINDS = ("work",) * 12 + ("block",) * 4 + ("book",) * 8 + ("stumble",) * 4 + ("fail",) * 4
KINDS += ("single",) * 5 + ("pair",)


class Producer:
    """Puts in one job after the other; what is not acknowledged stays unknown.

    Args:
        context: of the queue.
        journal: for what was called for, and acknowledged.
        name: its own.
        seed: of what it puts in.
        slow_share: of the jobs that just sleep, how many sleep for longer than a lease.
        recent: gets the ids of what was put in.
        lingering: gets those that are to be cancelled, each with the moment from which to do so.
    """

    def __init__(
        self,
        context: Context,
        journal: Journal,
        *,
        name: str,
        seed: int,
        slow_share: float,
        recent: deque[int],
        lingering: deque[tuple[float, int]],
    ) -> None:
        self._context = context
        self._journal = journal
        self._name = name
        self._dice = random.Random(f"{seed} {name}")
        self._slow_share = slow_share
        self._recent = recent
        self._lingering = lingering
        self._number = 0

    async def produce(self, secs: float) -> None:
        """Put in a job of any kind every few milliseconds, for so many seconds."""
        loop = asyncio.get_running_loop()
        end_at = loop.time() + secs
        while loop.time() < end_at:
            await self._put_one()
            await asyncio.sleep(PAUSE_SECS * self._dice.uniform(0.5, 1.5))

    async def burst(self, secs: float) -> None:
        """Put in more jobs at a time than may be taken at a time, now and then, for so many seconds."""
        loop = asyncio.get_running_loop()
        end_at = loop.time() + secs
        while loop.time() < end_at:
            for kind, num in BURSTS.items():
                secs_each = self._dice.choice([0, 0.2, 0.5])
                await self._put(kind, [Task(key=self._next_key(), secs=secs_each) for _ in range(num)])
            await asyncio.sleep(BURST_EVERY_SECS)

    async def _put_one(self) -> None:
        dice, kind = self._dice, self._dice.choice(KINDS)
        options: dict[str, Any] = {}
        if dice.random() < 0.4:
            # The square makes some groups far busier than others.
            options["job_group"] = f"g{int(20 * dice.random() ** 2)}"
        if dice.random() < 0.15:
            options["delay_secs"] = dice.uniform(0, 2)
        if dice.random() < 0.15:
            options["priority"] = dice.choice([1, 5])
        task = Task(key=self._next_key(), secs=dice.choice([0, 0, 0.002, 0.02, 0.2]))
        is_lingering = False
        if kind == "work" and "job_group" not in options:
            # Some take longer than it takes to give them to others, so that two may come to have one.
            if dice.random() < self._slow_share:
                task.secs = SLOW_SECS
            elif dice.random() < 0.02:
                task.secs, is_lingering = LINGER_SECS, True
        elif kind == "single":
            task.unique, task.secs = f"u{dice.randrange(12)}", dice.choice([0, 0.2, 0.6])
        for job_id in await self._put(kind, [task], **options):
            if is_lingering:
                self._lingering.append((asyncio.get_running_loop().time() + dice.uniform(0.5, 2), job_id))
            else:
                self._recent.append(job_id)

    async def _put(self, kind: str, tasks: list[Task], **options: Any) -> list[int]:
        is_plain = not options.keys() - {"job_group"} and kind in ("work", "block")
        for task in tasks:
            group = options.get("job_group")
            self._journal.note("call", key=task.key, group=group, is_plain=is_plain, unique=task.unique)
        try:
            handles = await self._context.definitions[kind].enqueue_many(tasks, **options)
        except (psycopg.Error, EnqueueUnknown, PoolTimeout, OSError):
            return []
        for task, handle in zip(tasks, handles, strict=True):
            self._journal.note("ack", key=task.key, job_id=handle.id, is_duplicate=handle.is_duplicate)
        return [handle.id for handle in handles]

    def _next_key(self) -> str:
        self._number += 1
        return f"{self._name}-{self._number}"
