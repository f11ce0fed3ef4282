"""A thousand pings: one definition, two workers, an orchestrator, and an end by Ctrl-C or SIGTERM.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/ping.py`

A second Ctrl-C does not wait for jobs in hand: they go back to the queue.
"""

import asyncio
import signal

from pydantic import BaseModel

from cuckmq import Attempt, Context, Orchestrator, Worker


class Ping(BaseModel):
    message: str


context = Context(schema="_job")


@context.job(name="PING")
async def ping(payload: Ping, attempt: Attempt) -> None:
    print(f"{attempt.job_id} - {payload.message}", flush=True)


async def main() -> None:
    workers = [Worker(context), Worker(context)]
    orchestrator = Orchestrator(context)
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            for worker in workers:
                worker.hasten()
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)

    async with context:
        await context.migrate()
        await ping.deploy()
        for daemon in (orchestrator, *workers):
            await daemon.start()
        for i in range(1000):
            await ping.enqueue(Ping(message=f"Hello: {i}"))
        print("Ctrl-C ends this", flush=True)
        await stopping.wait()
        for daemon in (*workers, orchestrator):
            await daemon.stop()
    print("stopped", flush=True)


asyncio.run(main())
