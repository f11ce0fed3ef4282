"""What type checkers must refuse: each line that ends in `# refused`, and no other.

Run by test_type_checkers.py, and never executed.
"""

from __future__ import annotations

import psycopg
from pydantic import BaseModel

from cuckmq import Attempt, Context, Exponential, JobDefinition, Retry, Worker
from cuckmq.events import Event


class Ping(BaseModel):
    message: str


class Pong(BaseModel):
    message: str


context = Context()
ping = Ping(message="hi")


@context.job(name="none")
async def none() -> int:
    return 1


@context.job(name="pinged")
async def pinged(payload: Ping, attempt: Attempt) -> int:
    return attempt.number


@context.job(name="summed")
def summed(payload: list[int]) -> str:
    return str(sum(payload))


async def work(payload: Ping) -> int:
    return 1


async def work_none() -> int:
    return 1


async def three(payload: Ping, attempt: Attempt, more: int) -> int:
    return more


async def attempt_last(payload: Ping, attempt: int) -> int:
    return attempt


def keyword(*, payload: Ping) -> int:
    return 1


async def hears_numbers(event: int) -> None:
    assert event


async def payloads(connection: psycopg.AsyncConnection, sync_connection: psycopg.Connection) -> None:
    await pinged.enqueue("hi")  # refused
    await pinged.enqueue(Pong(message="hi"))  # refused
    await pinged.enqueue({"message": "hi"})  # refused
    await pinged.enqueue(None)  # refused
    await pinged.enqueue()  # refused
    await pinged.enqueue([ping])  # refused
    await none.enqueue(ping)  # refused
    await summed.enqueue(["1"])  # refused
    await summed.enqueue(1)  # refused
    pinged.enqueue_sync("hi")  # refused
    pinged.enqueue_sync()  # refused
    none.enqueue_sync(ping)  # refused
    await pinged.enqueue_many(ping)  # refused
    await pinged.enqueue_many(["hi"])  # refused
    await pinged.enqueue_many([None])  # refused
    await pinged.enqueue_many()  # refused
    await none.enqueue_many([ping])  # refused
    await none.enqueue_many(3)  # refused
    await summed.enqueue_many([1, 2])  # refused


async def options(connection: psycopg.AsyncConnection, sync_connection: psycopg.Connection) -> None:
    await pinged.enqueue(ping, dely_secs=3)  # refused
    await pinged.enqueue(ping, delay_secs="3")  # refused
    await pinged.enqueue(ping, run_at="2030-01-01")  # refused
    await pinged.enqueue(ping, job_group=5)  # refused
    await pinged.enqueue(ping, repeat_secs=5)  # refused
    await pinged.enqueue(ping, unique_key=5)  # refused
    await pinged.enqueue(ping, unique_key="a", unique_scope="ever")  # refused
    await pinged.enqueue(ping, unique_key="a", on_duplicate="ignore")  # refused
    await pinged.find(5)  # refused
    await pinged.enqueue(ping, connection=sync_connection)  # refused
    await pinged.enqueue_many([ping], dely_secs=3)  # refused
    await pinged.enqueue_many([ping], connection=sync_connection)  # refused
    await pinged.enqueue(ping, after="3")  # refused
    await pinged.enqueue(ping, after=[None])  # refused
    await pinged.enqueue(ping, after=3, on_dependency_failure="hope")  # refused
    pinged.enqueue_sync(ping, connection=connection)  # refused
    pinged.enqueue_sync(ping, prioritty=1)  # refused


async def results() -> None:
    wrong: str = await (await pinged.enqueue(ping)).result()  # refused
    number: int = await (await summed.enqueue([1])).result()  # refused
    await (await pinged.enqueue(ping)).result(timeout=3)  # refused
    await context.schedules.add("s", summed, repeat_secs=5)  # refused
    await context.schedules.add("s", summed, ["1"], repeat_secs=5)  # refused
    await context.schedules.add("s", summed, [1], every=5)  # refused
    await (await pinged.enqueue(ping)).result(timeout_secs="3")  # refused
    assert [wrong, number]


context.job(name="a", num_atempts=3)(work)  # refused
context.job(name="b", num_attempts="3")(work)  # refused
context.job(num_attempts=3)(work)  # refused
context.job("c")(work)  # refused
context.job(name="d", repeat_secs="5")(work_none)  # refused
context.job(name="e", repeat_secs=5)(work)  # refused
context.job(name="e2", cron="* * * * *")(work)  # refused
context.job(name="e3", cron=5)(work_none)  # refused
context.job(name="e4", cron="* * * * *", missed="some")(work_none)  # refused
context.job(name="e5", cron="* * * * *", overlap="some")(work_none)  # refused
context.job(name="e6", keep_failed_secs="1")(work)  # refused
context.job(name="e7", max_payload_bytes="1 MiB")(work)  # refused
context.job(name="f")(three)  # refused
context.job(name="g")(attempt_last)  # refused
context.job(name="h")(keyword)  # refused
context.job(name="i")(5)  # refused
context.job(name="j", job_group=5)(work)  # refused
context.job(name="r", backoff="exponential")(work)  # refused
context.job(name="s", retry_on=ValueError)(work)  # refused
context.job(name="t", no_retry_on=(5,))(work)  # refused
context.job(name="u", num_failures="3")(work)  # refused
context.job(name="v", execution_timeout_secs="5")(work)  # refused
Exponential("1")  # refused
Retry("1")  # refused
Retry()  # refused
Exponential(1, 2)  # refused
JobDefinition(context=context, name="k", work_function=work, repeat_secs=5)  # refused
JobDefinition(context=context, name="k2", work_function=work, cron="* * * * *")  # refused
JobDefinition(context=context, name="l", work_function=work, num_atempts=5)  # refused
JobDefinition(context=context, name="m", work_function=three)  # refused
JobDefinition(context=context, name="n", work_function=keyword)  # refused
JobDefinition(context=context, name="o")  # refused
JobDefinition(name="p", work_function=work)  # refused
Context(5)  # refused
Context(shema="x")  # refused
Context(worker_state=5)  # refused
Context(worker_state=work_none)  # refused
Worker(context, channels=5)  # refused
Worker(context, concurency=5)  # refused
context.add_event_handler(hears_numbers)  # refused
context.add_event_handler(Event())  # refused
made: JobDefinition[Pong, int] = context.job(name="q")(work)  # refused
