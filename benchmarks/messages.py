"""Messages through the queue a second: 8 producers that enqueue one by one, 8 consumers, all at once.

    python -m benchmarks.messages [--dsn DSN] [--messages 20000] [--producers 8] [--consumers 8]

A producer awaits each enqueue, which is a commit of its own with fsync on, before the next; a consumer is
one of the worker's lanes. Producers and consumers live in one process, as they do in a small service.
Counted is from the first enqueue to the last message consumed. Beside it stands the rate of the producers
alone on an idle queue, which no consumer can pass.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import psycopg

from benchmarks.place import SCHEMA, server
from cuckmq import Context, JobDefinition, Worker


async def produce(definition: JobDefinition[int, None], num_messages: int, num_producers: int) -> float:
    """Enqueue the messages one by one, by so many producers at a time; the seconds that it took."""
    numbers = iter(range(num_messages))

    async def enqueue() -> None:
        for number in numbers:
            await definition.enqueue(number)

    began_at = time.perf_counter()
    await asyncio.gather(*(enqueue() for _ in range(num_producers)))
    return time.perf_counter() - began_at


async def measure(dsn: str, num_messages: int, num_producers: int, num_consumers: int) -> tuple[float, float]:
    """Run both; messages a second of the producers alone, and through the queue."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(f'drop schema if exists "{SCHEMA}" cascade'.encode())
    async with Context(dsn, schema=SCHEMA) as context:
        seen: set[int] = set()
        is_complete = asyncio.Event()

        @context.job(name="MESSAGE")
        async def message(number: int) -> None:
            seen.add(number)
            if len(seen) == num_messages:
                is_complete.set()

        await context.migrate()
        await message.deploy()
        alone_secs = await produce(message, num_messages, num_producers)
        async with Worker(context, concurrency=num_consumers) as worker:
            await worker.wait_until_idle()
            seen.clear()
            is_complete.clear()
            began_at = time.perf_counter()
            await produce(message, num_messages, num_producers)
            await is_complete.wait()
            through_secs = time.perf_counter() - began_at
    return num_messages / alone_secs, num_messages / through_secs


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dsn")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--producers", type=int, default=8)
    parser.add_argument("--consumers", type=int, default=8)
    options = parser.parse_args()
    with server(options.dsn) as dsn:
        alone, through = asyncio.run(measure(dsn, options.messages, options.producers, options.consumers))
    print(f"{options.messages} messages, {options.producers} producers, {options.consumers} consumers")
    print(f"producers alone {alone:,.0f}/s, through the queue {through:,.0f}/s, ratio {through / alone:.2f}")


if __name__ == "__main__":
    main()
