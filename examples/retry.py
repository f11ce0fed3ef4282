"""Retries: up to three tries, with a wait between them.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/retry.py`

`backoff` may be seconds, a timedelta, or a function from the number of errors so far to one of these.
"""

import asyncio

from cuckmq import Attempt, Context, Fail, Worker
from cuckmq.errors import JobFailed

context = Context(schema="_job")


@context.job(name="FETCH", num_attempts=3, backoff=lambda num_errors: 0.1 * 2**num_errors)
async def fetch(url: str, attempt: Attempt) -> str | Fail:
    print(f"try {attempt.number} of {url}", flush=True)
    if url.startswith("ftp:"):
        return Fail("no such protocol")  # no further try can help
    if not attempt.is_last:
        raise ConnectionError("connection refused")
    return "fetched"


async def main() -> None:
    async with context:
        await context.migrate()
        await fetch.deploy()
        async with Worker(context):
            page = await fetch.enqueue("https://example.org")
            print(await page.result(timeout_secs=30))
            print(f"errors on the way: {[error.message for error in (await page.get()).errors]}")

            file = await fetch.enqueue("ftp://example.org")
            try:
                await file.result(timeout_secs=30)
            except JobFailed as failure:
                print(f"{failure.reason}: {failure}")


asyncio.run(main())
