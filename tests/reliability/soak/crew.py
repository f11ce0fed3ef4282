"""A worker or an orchestrator as a process of its own, with a journal.

python -m tests.reliability.soak.crew worker|orchestrator DSN SCHEMA FOLDER OPTIONS
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from cuckmq import Context, Orchestrator, Worker
from cuckmq._runtime.ear import Ear
from cuckmq._runtime.heart import Heart
from cuckmq.events import (
    AttemptFailed,
    AttemptLost,
    AttemptSucceeded,
    Event,
    JobClaimed,
    JobEnded,
    ScheduleTicked,
)
from cuckmq.state import JobState
from tests.reliability.soak.history import Journal
from tests.reliability.soak.jobs import RATES, Note, define


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
                note("tick", job_id=event.job_id, name=event.name, slot=event.slot_at.isoformat())
                return
            case JobClaimed() if event.name in RATES:
                note("take", name=event.name)
                return
            case JobEnded(state=JobState.CANCELLED, worker_id=int()):
                note("stopped", job_id=event.job_id)
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
    Heart.is_leased = lambda self: True  # type: ignore[method-assign]


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
