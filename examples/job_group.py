"""Job groups: jobs of one group run one after the other, whatever the number of workers.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/job_group.py`

Here each account is a group. Two accounts go on side by side; within one there is never more than one
job at work, and they begin in the order in which they were enqueued.
"""

import asyncio
from collections import Counter

from pydantic import BaseModel

from cuckmq import Context, Worker


class Booking(BaseModel):
    account: str
    amount: int


context = Context(schema="_job")
at_work: Counter[str] = Counter()


@context.job(name="BOOK", job_group=lambda booking: f"account:{booking.account}")
async def book(booking: Booking) -> None:
    at_work[booking.account] += 1
    print(f"{booking.account} {booking.amount}: {at_work[booking.account]} at work", flush=True)
    await asyncio.sleep(0.01)
    at_work[booking.account] -= 1


async def main() -> None:
    async with context:
        await context.migrate()
        await book.deploy()
        bookings = [Booking(account=account, amount=n) for n in range(5) for account in ("anna", "bob")]
        handles = await book.enqueue_many(bookings)
        # A group may also be named at enqueue; it wins over the definition's.
        handles.append(await book.enqueue(Booking(account="carl", amount=9), job_group="audit"))
        async with Worker(context), Worker(context):
            for handle in handles:
                await handle.result(timeout_secs=30)
        print("all booked")


asyncio.run(main())
