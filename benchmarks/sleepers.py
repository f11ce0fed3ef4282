"""A thousand jobs of 30 ms at concurrency 30, beside what the clock alone allows.

    python -m benchmarks.sleepers [--dsn DSN] [--jobs 1000] [--concurrency 30] [--secs 0.03] [--rounds 3]

The jobs sleep, so a perfect queue takes jobs x secs / concurrency and no more; the ratio tells how much of
that ours reaches. Measured from the start of the worker to the end of the last job, as its handle tells.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import time

import psycopg

from benchmarks.place import SCHEMA, server
from cuckmq import Context, Worker


async def drain(dsn: str, num_jobs: int, concurrency: int, sleep_secs: float) -> float:
    """Drain the jobs once, from a fresh schema; the seconds that it took."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(f'drop schema if exists "{SCHEMA}" cascade'.encode())
    async with Context(dsn, schema=SCHEMA) as context:

        @context.job(name="SLEEP")
        async def sleep(number: int) -> int:
            await asyncio.sleep(sleep_secs)
            return number

        await context.migrate()
        await sleep.deploy()
        handles = await sleep.enqueue_many(range(num_jobs))
        async with Worker(context, concurrency=concurrency):
            began_at = time.perf_counter()
            assert await asyncio.gather(*(each.result() for each in handles)) == list(range(num_jobs))
            return time.perf_counter() - began_at


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dsn")
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--concurrency", type=int, default=30)
    parser.add_argument("--secs", type=float, default=0.03)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ideal_secs = math.ceil(options.jobs / options.concurrency) * options.secs
    with server(options.dsn) as dsn:
        took = [
            asyncio.run(drain(dsn, options.jobs, options.concurrency, options.secs))
            for _ in range(options.rounds)
        ]
    median = statistics.median(took)
    print(f"{options.jobs} jobs of {options.secs:g} s at concurrency {options.concurrency}")
    print(f"median: {median:.3f} s, ideal {ideal_secs:.3f} s, ratio {ideal_secs / median:.2f}")


if __name__ == "__main__":
    main()
