"""One pool of connections for everything: your own queries, the context, its workers and orchestrator.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/shared_pool.py`

The pool is yours: the context uses it and never closes it. Two contexts with schemas of their own share it.
"""

import asyncio
import os

from psycopg_pool import AsyncConnectionPool

from cuckmq import Context, Orchestrator, Worker


async def main() -> None:
    async with AsyncConnectionPool(os.environ["CUCKMQ_DATABASE_URL"], max_size=4, open=False) as pool:
        mail, billing = Context(pool, schema="_job"), Context(pool, schema="_job_billing")

        @mail.job(name="SEND")
        async def send(to: str) -> str:
            return f"sent to {to}"

        @billing.job(name="SEND")
        async def send_bill(number: int) -> str:
            return f"bill {number} sent"

        for context in (mail, billing):
            await context.migrate()
            await context.deploy()
        async with Worker(mail), Orchestrator(mail), Worker(billing):
            print(await (await send.enqueue("anna")).result(timeout_secs=30))
            print(await (await send_bill.enqueue(7)).result(timeout_secs=30))
        async with pool.connection() as connection:
            cursor = await connection.execute("select count(*) from _job.all_job")
            print(f"jobs of the first, by a query of mine: {await cursor.fetchone()}")
        for context in (mail, billing):
            await context.close()
        print(f"the pool is still open: {not pool.closed}")


asyncio.run(main())
