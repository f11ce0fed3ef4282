"""Delays: a job that may not run before a moment of your choice.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/delay.py`
"""

import asyncio
from datetime import UTC, datetime, timedelta

from cuckmq import Context, Worker

context = Context(schema="_job")


@context.job(name="REMIND")
async def remind(text: str) -> datetime:
    print(f"reminder: {text}", flush=True)
    return datetime.now(UTC)


async def main() -> None:
    async with context:
        await context.migrate()
        await remind.deploy()
        began_at = datetime.now(UTC)
        later = await remind.enqueue("drink water", delay_secs=1)
        tomorrow = await remind.enqueue("call home", run_at=began_at + timedelta(days=1))
        print(f"before: {(await later.get()).state}")
        async with Worker(context):
            ran_at = await later.result(timeout_secs=30)
            print(f"after at least a second: {ran_at - began_at >= timedelta(seconds=1)}")
        print(f"tomorrow's is still {(await tomorrow.get()).state}; cancelled: {await tomorrow.cancel()}")


asyncio.run(main())
