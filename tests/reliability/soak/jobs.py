"""The jobs of the soak, and what they declare: the rules hold the journals against the same numbers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import BaseModel

from cuckmq import Attempt, Context, Limits

Note = Callable[..., None]

BACKOFF_SECS: Final = 0.2
SLOW_SECS: Final = 4.0
"""How long the jobs take that are to outlast their worker's lease."""
CONCURRENCY: Final = {"pair": 2, "chime": 1}
"""How many of a definition may run at once: by its limit, or since a moment is skipped while one is live."""
RATES: Final = {"pace": (6, 2.0)}
"""How many of a definition may be taken within how many seconds."""
REPEAT_SECS: Final = {"tick": 1.0, "chime": 1.0}
"""What puts itself in, and how often."""


class Task(BaseModel):
    """What to do: a key that is nobody else's, how long it takes, and a key that others may have too."""

    key: str
    secs: float = 0.0
    unique: str | None = None


def define(context: Context, note: Note) -> None:
    """Define the jobs of the soak. The note is called with a word and what belongs to it."""

    @contextmanager
    def told(attempt: Attempt) -> Iterator[None]:
        run: dict[str, Any] = {"job_id": attempt.job_id, "attempt": attempt.number}
        note("start", **run, name=attempt.name, group=attempt.job_group)
        has_returned = False
        try:
            yield
            has_returned = True
        finally:
            note("end", **run, has_returned=has_returned)

    async def work(task: Task, attempt: Attempt) -> None:
        with told(attempt):
            await asyncio.sleep(task.secs)

    pairs, (rate, rate_secs) = CONCURRENCY["pair"], RATES["pace"]
    context.job(name="work", num_stalls=50)(work)
    context.job(name="single", num_stalls=50, unique_key=lambda task: task.unique)(work)
    context.job(name="pair", num_stalls=50, limits=Limits(concurrency=pairs))(work)
    context.job(name="pace", num_stalls=50, limits=Limits(rate=rate, rate_secs=rate_secs))(work)

    @context.job(name="block", num_stalls=50)
    def block(task: Task, attempt: Attempt) -> None:
        with told(attempt):
            time.sleep(task.secs)

    @context.job(name="book", num_stalls=50, num_attempts=50, backoff=BACKOFF_SECS)
    async def book(task: Task, attempt: Attempt) -> None:
        with told(attempt):
            async with attempt.transaction() as connection:
                await connection.execute(
                    "insert into soak_effect (job_id, attempt) values (%s, %s)",
                    [attempt.job_id, attempt.number],
                )
                await asyncio.sleep(task.secs)

    @context.job(name="stumble", num_stalls=50, num_attempts=3, backoff=BACKOFF_SECS)
    async def stumble(task: Task, attempt: Attempt) -> None:
        with told(attempt):
            await asyncio.sleep(task.secs)
            if attempt.error_count < 2:
                raise RuntimeError("not yet")

    @context.job(name="fail", num_stalls=50, num_attempts=2, backoff=BACKOFF_SECS)
    async def fail(task: Task, attempt: Attempt) -> None:
        with told(attempt):
            raise RuntimeError("never")

    @context.job(name="tick", repeat_secs=REPEAT_SECS["tick"], num_stalls=50)
    async def tick(_: None, attempt: Attempt) -> None:
        with told(attempt):
            pass

    @context.job(name="chime", repeat_secs=REPEAT_SECS["chime"], overlap="skip", num_stalls=50)
    async def chime(_: None, attempt: Attempt) -> None:
        with told(attempt):
            await asyncio.sleep(0.2 + attempt.job_id % 3)
