"""Idle workers, for P12: `python -m benchmarks.peers.idlers NUM` starts so many and says so on stdout.

Each has a context of its own, as workers on different machines would; only the process is one.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack

from benchmarks.peers.own_jobs import SCHEMA
from cuckmq import Context, Worker


async def idle(num: int) -> None:
    """Start them, and wait to be killed."""
    async with AsyncExitStack() as stack:
        for _ in range(num):
            context = await stack.enter_async_context(Context(os.environ["BENCH_DSN"], schema=SCHEMA))

            @context.job(name="bench")
            async def bench(payload: int) -> None:
                """Never asked for."""

            await stack.enter_async_context(Worker(context))
        print("up", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(idle(int(sys.argv[1])))
