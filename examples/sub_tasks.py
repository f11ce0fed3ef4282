"""Sub-tasks: a job puts in others, waits for them, and goes on with what they returned.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/sub_tasks.py`

The worker runs one job at a time. While the parent waits it gives its lane to its children.
"""

import asyncio

from cuckmq import Context, Worker

context = Context(schema="_job")


@context.job(name="COUNT_WORDS")
async def count_words(line: str) -> int:
    print(f"counting {line!r}", flush=True)
    return len(line.split())


@context.job(name="COUNT_ALL")
async def count_all(text: str) -> int:
    handles = await count_words.enqueue_many(text.splitlines())
    counts = await asyncio.gather(*(handle.result() for handle in handles))
    print(f"the lines have {counts} words", flush=True)
    return sum(counts)


async def main() -> None:
    async with context:
        await context.migrate()
        await context.deploy()
        async with Worker(context, concurrency=1):
            handle = await count_all.enqueue("to be or not\nto be\nthat is the question")
            print(f"all words: {await handle.result(timeout_secs=30)}")


asyncio.run(main())
