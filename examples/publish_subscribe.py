"""Publisher and subscribers: bursts of tasks for three workers, with cancellation, and deletion at the end.

Run both: `CUCKMQ_DATABASE_URL=postgresql://... python examples/publish_subscribe.py subscribe [seconds]`
and, beside it: `... python examples/publish_subscribe.py publish [bursts]`

A task is a string, and may be empty. Ctrl-C ends the subscribers; what they have in hand goes on elsewhere.
"""

import asyncio
import random
import sys

from cuckmq import Context, Worker
from cuckmq.events import AttemptSucceeded, ChannelDeleted, Event, JobCancelled

context = Context(schema="_job")
NUMBER = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0


@context.job(name="TASK", channel="tasks")
async def work(task: str) -> None:
    print(f"work: {task!r}", flush=True)
    await asyncio.sleep(random.uniform(0, NUMBER))


def tell(event: Event) -> None:
    if isinstance(event, AttemptSucceeded):
        print(f"done: {event.job_id}", flush=True)
    elif isinstance(event, JobCancelled):
        print(f"cancelled: {event.job_id}", flush=True)
    elif isinstance(event, ChannelDeleted):
        print(f"deleted: {event.channel}", flush=True)


async def subscribe() -> None:
    context.add_event_handler(tell)
    one, two, three = (
        Worker(context, channels=["tasks"], concurrency=1, name=f"subscriber {number}") for number in range(3)
    )
    async with one, two:
        await three.start()
        print("ready", flush=True)
        await three.run()


async def publish(num_bursts: int) -> None:
    for number in range(num_bursts):
        match random.choice(["one", "many", "empty"]):
            case "one":
                await work.enqueue(f"task {number}")
            case "many":
                await work.enqueue_many([f"task {number}.{each}" for each in range(random.randint(2, 5))])
            case _:
                await work.enqueue("")
    last = await work.enqueue("the last")
    await work.enqueue("unwanted", delay_secs=60)
    answers = await context.jobs.cancel_many(name="TASK", payload="unwanted")
    print(f"cancelled: {len(answers)}")
    await last.result()
    await work.undeploy()
    await context.channels.destroy("tasks")
    print("deleted")


async def main(role: str) -> None:
    async with context:
        await context.migrate()
        await context.deploy()
        await (subscribe() if role == "subscribe" else publish(int(NUMBER)))


asyncio.run(main(sys.argv[1]))
