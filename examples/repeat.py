"""Repeating jobs: enqueued by orchestrators, once for each moment whatever their number.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/repeat.py`

Only a job without a payload can repeat. A new one is due at once, and then every `repeat_secs`.
"""

import asyncio

from cuckmq import Context, Orchestrator, Worker
from cuckmq.events import Event, ScheduleTicked

context = Context(schema="_job")
runs: asyncio.Queue[str] = asyncio.Queue()
slots: list[str] = []


@context.job(name="SWEEP", repeat_secs=1)
async def sweep() -> None:
    await runs.put("swept")


def note_slot(event: Event) -> None:
    if isinstance(event, ScheduleTicked):
        slots.append(event.slot_at.isoformat())


async def main() -> None:
    context.add_event_handler(note_slot)
    async with context:
        await context.migrate()
        await sweep.deploy()
        async with Orchestrator(context), Orchestrator(context), Worker(context):
            for number in range(3):
                print(f"{await runs.get()} {number + 1}", flush=True)
        await sweep.undeploy()  # or it would go on with the next orchestrator
        print(f"no moment twice: {len(slots) == len(set(slots))}")


asyncio.run(main())
