"""Transactions: a job enqueued with your own writes, and a job whose writes commit with its success.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/transaction.py`
"""

import asyncio
import os

import psycopg

from cuckmq import Attempt, Context, Worker

context = Context(schema="_job")


@context.job(name="SHIP", num_attempts=2, backoff=0)
async def ship(order: str, attempt: Attempt) -> str:
    # Committed together with this job's success, exactly once; rolled back with an error.
    async with attempt.transaction() as connection:
        await connection.execute("insert into _job.parcel values (%s)", (order,))
    if attempt.number == 1:
        raise ConnectionError("after the insert, which is undone")
    return "shipped"


async def main() -> None:
    async with context, await psycopg.AsyncConnection.connect(os.environ["CUCKMQ_DATABASE_URL"]) as orders:
        await context.migrate()
        await ship.deploy()
        await orders.execute("create table _job.orders (name text)")
        await orders.execute("create table _job.parcel (name text)")
        await orders.commit()

        # The job exists if and only if the caller's transaction commits.
        await orders.execute("insert into _job.orders values ('broken')")
        await ship.enqueue("broken", connection=orders)
        await orders.rollback()
        await orders.execute("insert into _job.orders values ('books')")
        handle = await ship.enqueue("books", connection=orders)
        await orders.commit()

        async with Worker(context):
            print(await handle.result(timeout_secs=30))
        cursor = await orders.execute("select o.name, p.name from _job.orders o, _job.parcel p")
        print(f"orders and parcels: {await cursor.fetchall()}")


asyncio.run(main())
