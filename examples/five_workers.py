"""Five workers, ten jobs and one timer.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/five_workers.py [seconds]`

The timer is a job that may not run before its moment. It is in the database like every other, so it
would ring after a restart, too; and it can be deleted before it rings, as the second one is.
"""

import asyncio
import contextlib
import sys

from cuckmq import Context, Worker

context = Context(schema="_job")


@context.job(name="WORK")
async def work(number: int) -> None:
    await asyncio.sleep(0.05)
    print(f"job {number} done", flush=True)


@context.job(name="RING")
async def ring(what: str) -> None:
    print(f"timer: {what}", flush=True)


async def main(secs: float) -> None:
    async with context, contextlib.AsyncExitStack() as crew:
        await context.migrate()
        await context.deploy()
        for number in range(5):
            await crew.enter_async_context(Worker(context, concurrency=1, name=f"worker {number}"))
        timer = await ring.enqueue("tea is ready", delay_secs=secs)
        never = await ring.enqueue("never", delay_secs=2 * secs)
        handles = await work.enqueue_many(range(10))
        print(f"the second timer is deleted: {await never.cancel()}")
        for handle in handles:
            await handle.result(timeout_secs=30)
        await timer.result(timeout_secs=secs + 30)


asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))
