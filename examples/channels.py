"""Channels: three workers may serve HIGH_PRIORITY, and one of them serves nothing else.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/channels.py`

The two unrestricted workers are kept busy by slow jobs; the urgent one need not wait for them.
"""

import asyncio

from cuckmq import Context, Worker

context = Context(schema="_job")
done = asyncio.Event()


@context.job(name="REPORT")
async def report(number: int) -> None:
    print(f"report {number} begins", flush=True)
    await done.wait()


@context.job(name="ALERT", channel="HIGH_PRIORITY")
async def alert(text: str) -> str:
    return f"alert sent: {text}"


async def main() -> None:
    async with context:
        await context.migrate()
        await context.deploy()
        reports = await report.enqueue_many([1, 2])
        async with (
            Worker(context, concurrency=1),
            Worker(context, concurrency=1),
            Worker(context, concurrency=1, channels=["HIGH_PRIORITY"]),
        ):
            print(await (await alert.enqueue("disk full")).result(timeout_secs=30))
            done.set()
            for handle in reports:
                await handle.result(timeout_secs=30)
        print("reports done")


asyncio.run(main())
