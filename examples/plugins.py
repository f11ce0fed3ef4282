"""Plugins: an audit trail in the transaction of each enqueue, and a stopwatch around each attempt.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/plugins.py`

The first in the list is asked first, and stands outermost. What a plugin raises before an enqueue refuses it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from cuckmq import Attempt, Context, Enqueuing, Plugin, Worker


class Audit(Plugin):
    def before_enqueue(self, enqueuing: Enqueuing) -> None:
        if "" in enqueuing.payloads:
            raise ValueError("nobody is called that")
        for payload in enqueuing.payloads:
            enqueuing.also("insert into _job.audit (what) values (%s)", [f"{enqueuing.name} {payload}"])


class Stopwatch(Plugin):
    @asynccontextmanager
    async def around_attempt(self, attempt: Attempt, payload: Any) -> AsyncGenerator[None]:
        began_at = time.monotonic()
        yield
        print(f"{attempt.name} took less than a second: {time.monotonic() - began_at < 1}", flush=True)


context = Context(schema="_job", plugins=[Stopwatch(), Audit()])


@context.job(name="GREET")
async def greet(name: str) -> str:
    return f"hello {name}"


async def main() -> None:
    async with context:
        await context.migrate()
        await greet.deploy()
        async with context.database.connection() as connection:
            await connection.execute("create table if not exists _job.audit (what text)")
        async with Worker(context):
            print(await (await greet.enqueue("ada")).result(timeout_secs=30))
            try:
                await greet.enqueue("")
            except ValueError as error:
                print(f"refused: {error}")
        async with context.database.connection() as connection:
            cursor = await connection.execute("select what from _job.audit")
            print(f"audited: {await cursor.fetchall()}")


asyncio.run(main())
