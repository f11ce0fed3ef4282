"""Several kinds of job on one channel, worked off by one worker, each by its name.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/task_types.py`

A kind that this process does not know is left for those who do, and told of by the event JobOrphaned.
"""

import asyncio
import math

from pydantic import BaseModel

from cuckmq import Context, Worker
from cuckmq.events import Event, JobOrphaned

context = Context(schema="_job")


class Sum(BaseModel):
    x: int
    y: int


class Division(BaseModel):
    dividend: int
    divisor: int


@context.job(name="SUM", channel="arithmetic")
async def add(task: Sum) -> int:
    return task.x + task.y


@context.job(name="DIVIDE", channel="arithmetic")
def divide(task: Division) -> float:
    return task.dividend / task.divisor


async def main() -> None:
    orphan = asyncio.Event()

    def watch(event: Event) -> None:
        if isinstance(event, JobOrphaned):
            print(f"nobody here knows {event.name}", flush=True)
            orphan.set()

    context.add_event_handler(watch)
    async with context, Context(schema="_job") as elsewhere:
        await context.migrate()
        await context.deploy()

        @elsewhere.job(name="ROOT", channel="arithmetic")
        def root(number: int) -> float:
            return math.sqrt(number)

        await root.deploy()
        async with Worker(context, channels=["arithmetic"]):
            print(await (await add.enqueue(Sum(x=2, y=3))).result(timeout_secs=30))
            print(await (await divide.enqueue(Division(dividend=7, divisor=2))).result(timeout_secs=30))
            await root.enqueue(2)
            await asyncio.wait_for(orphan.wait(), 30)


asyncio.run(main())
