"""A worker or an orchestrator as a process of its own, with a journal.

python -m tests.reliability.soak.crew worker|orchestrator DSN SCHEMA FOLDER OPTIONS
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cuckmq import Attempt, Context, Orchestrator, Worker
from cuckmq._runtime.ear import Ear
from cuckmq._runtime.heart import Heart
from cuckmq.events import AttemptFailed, AttemptLost, AttemptSucceeded, Event, ScheduleTicked
from tests.reliability.soak.history import Journal

Note = Callable[..., None]


class Task(BaseModel):
    """What to do: a key that is nobody else's, and how long it takes."""

    key: str
    secs: float = 0.0


def define(context: Context, note: Note) -> None:
    """Define the jobs of the soak. The note is called with a word and what belongs to it."""

    def begin(attempt: Attempt) -> dict[str, Any]:
        run = {"job_id": attempt.job_id, "attempt": attempt.number}
        note("start", **run, group=attempt.job_group)
        return run

    @context.job(name="work", num_stalls=50)
    async def work(task: Task, attempt: Attempt) -> None:
        run = begin(attempt)
        try:
            await asyncio.sleep(task.secs)
        finally:
            note("end", **run)

    @context.job(name="block", num_stalls=50)
    def block(task: Task, attempt: Attempt) -> None:
        run = begin(attempt)
        try:
            time.sleep(task.secs)
        finally:
            note("end", **run)

    @context.job(name="book", num_stalls=50, num_attempts=50, backoff=0.2)
    async def book(task: Task, attempt: Attempt) -> None:
        run = begin(attempt)
        try:
            async with attempt.transaction() as connection:
                await connection.execute("insert into soak_effect (job_id) values (%s)", [attempt.job_id])
                await asyncio.sleep(task.secs)
        finally:
            note("end", **run)

    @context.job(name="stumble", num_stalls=50, num_attempts=3, backoff=0.2)
    async def stumble(task: Task, attempt: Attempt) -> None:
        run = begin(attempt)
        try:
            await asyncio.sleep(task.secs)
            if attempt.error_count < 2:
                raise RuntimeError("not yet")
        finally:
            note("end", **run)

    @context.job(name="fail", num_stalls=50, num_attempts=2, backoff=0.2)
    async def fail(task: Task, attempt: Attempt) -> None:
        run = begin(attempt)
        note("end", **run)
        raise RuntimeError("never")

    @context.job(name="tick", repeat_secs=1, num_stalls=50)
    async def tick() -> None: ...


def teller(note: Note) -> Callable[[Event], None]:
    """Make the handler that writes down what the queue says became of runs."""

    def tell(event: Event) -> None:
        match event:
            case AttemptSucceeded():
                verdict = "succeeded"
            case AttemptFailed():
                verdict = str(event.state)
            case AttemptLost():
                verdict = "lost"
            case ScheduleTicked():
                note("tick", job_id=event.job_id, slot=event.slot_at.isoformat())
                return
            case _:
                return
        note("told", job_id=event.job_id, attempt=event.attempt, verdict=verdict)

    return tell


def deafen() -> None:
    """Make workers that never learn from their beats that they were taken for dead.

    A good worker notices and stops, most often before it could do harm. Only without that does it show
    whether the queue is fenced against one that does not notice.
    """
    Ear.on_pulse = Ear.on_silence = lambda *_: None  # type: ignore[assignment, method-assign]
    Heart.is_leased = True  # type: ignore[assignment, method-assign]


def main() -> None:
    """Run until SIGTERM."""
    role, dsn, schema, folder = sys.argv[1:5]
    options = json.loads(sys.argv[5])
    if options.pop("is_deaf", False):
        deafen()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    context = Context(dsn, schema=schema)
    journal = Journal(Path(folder), role)
    define(context, journal.note)
    context.add_event_handler(teller(journal.note))

    async def run() -> None:
        daemon = Worker(context, **options) if role == "worker" else Orchestrator(context, **options)
        await daemon.start()
        print("up", flush=True)
        await daemon.run()
        await context.close()

    asyncio.run(run())


if __name__ == "__main__":
    main()
