"""The small program of the README, with the DSN and the schema from the command line."""

import asyncio
import sys

from pydantic import BaseModel

from cuckmq import Attempt, Context, Orchestrator, Worker


class Ping(BaseModel):
    message: str


context = Context(sys.argv[1], schema=sys.argv[2])


@context.job(name="PING", num_attempts=3, backoff=1.0)
async def ping(payload: Ping, attempt: Attempt) -> int:
    print(f"{attempt.job_id} - {payload.message}", flush=True)
    return len(payload.message)


async def main() -> None:
    await context.migrate()
    await ping.deploy()
    async with Orchestrator(context), Worker(context, concurrency=10), Worker(context, channels=["_default"]):
        handles = [await ping.enqueue(Ping(message=f"Hello: {i}")) for i in range(1000)]
        assert await handles[0].result(timeout_secs=30) == 8
        job = await handles[-1].get()  # state, attempt counts, times, errors, result
        assert job.num_attempts == 3
    await context.close()


asyncio.run(main())
