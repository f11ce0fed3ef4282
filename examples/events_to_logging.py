"""Events to logging: every event of this process as a line of the standard log.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/events_to_logging.py`
"""

import asyncio
import contextlib
import logging
import sys
from dataclasses import asdict

from cuckmq import Context, CuckmqError, Orchestrator, Worker
from cuckmq.events import AttemptFailed, Event, JobFailed, JobOrphaned, ScheduleOrphaned

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
logger = logging.getLogger("jobs")

WORRYING = (AttemptFailed, JobFailed, JobOrphaned, ScheduleOrphaned)
context = Context(schema="_job")


@context.job(name="DIVIDE", num_attempts=2, backoff=0)
def divide(by: int) -> float:
    return 1 / by


def log(event: Event) -> None:
    told = ", ".join(f"{name}={value}" for name, value in asdict(event).items() if name != "at")
    level = logging.WARNING if isinstance(event, WORRYING) else logging.INFO
    logger.log(level, "%s %s", type(event).__name__, told)


async def main() -> None:
    context.add_event_handler(log)
    async with context:
        await context.migrate()
        await divide.deploy()
        async with Worker(context), Orchestrator(context):
            await (await divide.enqueue(2)).result(timeout_secs=30)
            with contextlib.suppress(CuckmqError):
                await (await divide.enqueue(0)).result(timeout_secs=30)


asyncio.run(main())
