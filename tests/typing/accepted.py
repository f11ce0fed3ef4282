"""What type checkers must accept, and the types they must infer. Run by test_type_checkers.py."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_type

import psycopg
from pydantic import BaseModel
from typing_extensions import TypedDict

from cuckmq import (
    Attempt,
    Cancel,
    Context,
    Exponential,
    Fail,
    JobDefinition,
    JobHandle,
    Linear,
    PulledJob,
    Puller,
    Retry,
    Snooze,
)


class Ping(BaseModel):
    message: str


@dataclass
class Pair:
    left: int


class Options(TypedDict):
    depth: int


context = Context(max_payload_bytes=1_000_000)

# The forms of a work function.


@context.job(name="async-none")
async def async_none() -> int:
    return 1


@context.job(name="sync-none")
def sync_none() -> int:
    return 1


@context.job(name="async-payload")
async def async_payload(payload: Ping) -> int:
    return len(payload.message)


@context.job(name="sync-payload")
def sync_payload(payload: Ping) -> int:
    return len(payload.message)


@context.job(
    name="async-both",
    channel="mail",
    priority=3,
    num_attempts=None,
    backoff=lambda num_errors: timedelta(seconds=2.0**num_errors),
    num_stalls=0,
    num_failures=None,
    execution_timeout_secs=timedelta(minutes=5),
    delay_secs=timedelta(minutes=1),
    job_group=lambda payload: payload.message[:1],
)
async def async_both(payload: Ping, attempt: Attempt) -> int:
    return attempt.number


@context.job(name="bot", persistent=True, backoff=timedelta(seconds=5))
async def bot(payload: Ping) -> None: ...


async def pull(puller: Puller) -> None:
    while job := await puller.claim(wait_secs=timedelta(seconds=5)):
        if pinged := job.of(sync_both):
            assert_type(pinged, PulledJob[Ping, int])
            await pinged.finish(len(pinged.payload.message))
        else:
            await job.release()


@context.job(name="ruled", num_attempts=5, retry_on=(OSError,), no_retry_on=(FileNotFoundError, KeyError))
def ruled(payload: Ping) -> int:
    return len(payload.message)


class Clients:
    greeting = "hello"


@asynccontextmanager
async def open_clients() -> AsyncGenerator[Clients]:
    yield Clients()


stateful = Context(worker_state=open_clients)


@stateful.job(name="greets")
async def greets(payload: Ping, attempt: Attempt[Clients]) -> str:
    assert_type(attempt.state, Clients)
    return attempt.state.greeting


@stateful.job(name="greets-sync")
def greets_sync(payload: Ping, attempt: Attempt[Clients]) -> str:
    return attempt.state.greeting


assert_type(greets, JobDefinition[Ping, str])
assert_type(greets_sync, JobDefinition[Ping, str])


@context.job(name="sync-both", num_attempts=5, backoff=Exponential(1, factor=3, max_secs=60, jitter=0.5))
def sync_both(payload: Ping, attempt: Attempt) -> int:
    return attempt.number


assert_type(async_none, JobDefinition[None, int])
assert_type(sync_none, JobDefinition[None, int])
assert_type(async_payload, JobDefinition[Ping, int])
assert_type(sync_payload, JobDefinition[Ping, int])
assert_type(async_both, JobDefinition[Ping, int])
assert_type(sync_both, JobDefinition[Ping, int])

# Results of None, and verdicts, which are no part of the result.


@context.job(name="nothing")
def nothing(payload: Pair) -> None:
    payload.left += 1


@context.job(name="nothing-at-all")
async def nothing_at_all() -> None:
    assert context.schema


@context.job(name="says")
async def says(payload: Ping) -> int | Snooze:
    return Snooze(5) if payload.message else 1


@context.job(name="says-any")
def says_any(payload: Ping, attempt: Attempt) -> int | Snooze | Cancel | Fail:
    return Fail("no") if payload.message else 1


@context.job(name="says-retry")
async def says_retry(payload: Ping) -> int | Retry:
    return Retry(timedelta(minutes=1), "busy") if payload.message else 1


@context.job(name="says-all")
def says_all() -> str | Snooze | Retry | Cancel | Fail:
    return Retry(5)


@context.job(name="says-or-nothing")
async def says_or_nothing(payload: Ping) -> Snooze | None:
    return Snooze(5) if payload.message else None


assert_type(nothing, JobDefinition[Pair, None])
assert_type(nothing_at_all, JobDefinition[None, None])
assert_type(says, JobDefinition[Ping, int])
assert_type(says_any, JobDefinition[Ping, int])
assert_type(says_retry, JobDefinition[Ping, int])
assert_type(says_all, JobDefinition[None, str])
assert_type(says_or_nothing, JobDefinition[Ping, None])

# Payloads and results of other kinds.


@context.job(name="optional")
async def optional(payload: Ping | None) -> str | None:
    return payload.message if payload else None


@context.job(name="no-payload-but-attempt")
async def only_attempt(payload: None, attempt: Attempt) -> str:
    return attempt.name


@context.job(name="typed-dict")
async def typed_dict(payload: Options) -> Options:
    return payload


@context.job(name="list")
async def listed(payload: list[Ping]) -> list[Pair]:
    return [Pair(len(ping.message)) for ping in payload]


assert_type(optional, JobDefinition[Ping | None, str | None])
assert_type(only_attempt, JobDefinition[None, str])
assert_type(typed_dict, JobDefinition[Options, Options])
assert_type(listed, JobDefinition[list[Ping], list[Pair]])

# Jobs that repeat.


@context.job(name="repeats", repeat_secs=3)
async def repeats() -> int:
    return 1


@context.job(name="repeats-sync", repeat_secs=timedelta(hours=1), num_attempts=3)
def repeats_sync() -> None:
    assert context.schema


@context.job(name="repeats-with-attempt", repeat_secs=3)
async def repeats_with_attempt(payload: None, attempt: Attempt) -> int | Snooze:
    return attempt.number


assert_type(repeats, JobDefinition[None, int])


@context.job(
    name="by-cron", cron="0 8 * * *", timezone="Europe/Berlin", missed="all", overlap="skip", expires_secs=60
)
async def by_cron() -> int:
    return 1


assert_type(by_cron, JobDefinition[None, int])


async def schedule() -> None:
    await context.schedules.add("s", by_cron, cron="* * * * *")
    await context.schedules.add("t", listed, [Ping(message="hi")], repeat_secs=timedelta(hours=1))


assert_type(repeats_sync, JobDefinition[None, None])
assert_type(repeats_with_attempt, JobDefinition[None, int])

# Methods, callable objects, partials.


class Mailer:
    async def send(self, payload: Ping, attempt: Attempt) -> int:
        return attempt.number

    def check(self, payload: Ping) -> int | Fail:
        return len(payload.message)

    async def __call__(self, payload: Ping) -> str:
        return payload.message


def with_prefix(prefix: str, payload: Ping) -> int:
    return len(prefix + payload.message)


prefixed: Callable[[Ping], int] = functools.partial(with_prefix, "x")

assert_type(context.job(name="method")(Mailer().send), JobDefinition[Ping, int])
assert_type(context.job(name="sync-method")(Mailer().check), JobDefinition[Ping, int])
assert_type(context.job(name="callable")(Mailer()), JobDefinition[Ping, str])
assert_type(context.job(name="partial")(prefixed), JobDefinition[Ping, int])

# The class, which does what the decorator does.


async def work_none() -> int:
    return 1


def work_payload(payload: Ping) -> None:
    payload.message += "!"


async def work_says(payload: Ping) -> int | Snooze:
    return len(payload.message)


async def work_both(payload: list[int], attempt: Attempt) -> int:
    return sum(payload)


async def work_attempt(payload: None, attempt: Attempt) -> int:
    return attempt.number


made_none = JobDefinition(context=context, name="made-none", work_function=work_none)
made_payload = JobDefinition(
    context=context, name="made-payload", work_function=work_payload, backoff=Linear(timedelta(minutes=1))
)
made_says = JobDefinition(context=context, name="made-says", work_function=work_says, num_attempts=None)
made_both = JobDefinition(context=context, name="made-both", work_function=work_both)
made_repeats = JobDefinition(context=context, name="made-repeats", work_function=work_none, repeat_secs=1)
made_repeats_too = JobDefinition(
    context=context, name="made-repeats-too", work_function=work_attempt, repeat_secs=1
)

assert_type(made_none, JobDefinition[None, int])
assert_type(made_payload, JobDefinition[Ping, None])
assert_type(made_says, JobDefinition[Ping, int])
assert_type(made_both, JobDefinition[list[int], int])
assert_type(made_repeats, JobDefinition[None, int])
assert_type(made_repeats_too, JobDefinition[None, int])


async def use(connection: psycopg.AsyncConnection, sync_connection: psycopg.Connection) -> None:
    ping = Ping(message="hi")
    assert_type(await async_none.enqueue(), JobHandle[int])
    assert_type(await async_none.enqueue(None, delay_secs=3), JobHandle[int])
    assert_type(await async_payload.enqueue(ping, job_group="x", connection=connection), JobHandle[int])
    assert_type(await (await says.enqueue(ping)).result(timeout_secs=3), int)
    assert_type(await (await optional.enqueue(None)).result(), str | None)
    assert_type(await optional.enqueue(ping), JobHandle[str | None])
    assert_type(await listed.enqueue([ping]), JobHandle[list[Pair]])
    assert_type(await typed_dict.enqueue({"depth": 3}), JobHandle[Options])
    assert_type(await async_payload.enqueue_many([ping], priority=2), list[JobHandle[int]])
    assert_type(await async_none.enqueue_many([None] * 3), list[JobHandle[int]])
    assert_type(await made_both.enqueue_many([[1, 2], [3]]), list[JobHandle[int]])
    assert_type(async_none.enqueue_sync(), JobHandle[int])
    assert_type(async_payload.enqueue_sync(ping, connection=sync_connection), JobHandle[int])
    assert_type(
        async_payload.enqueue_many_sync([ping], unique_key=lambda ping: ping.message), list[JobHandle[int]]
    )
    assert_type(await async_payload.enqueue(ping, unique_key="a", unique_scope="kept"), JobHandle[int])
    parent = await optional.enqueue(ping)
    assert_type(await async_none.enqueue(after=parent), JobHandle[int])
    assert_type(await async_none.enqueue(after=[parent, 3], on_dependency_failure="run"), JobHandle[int])
    assert_type(parent.result_sync(timeout_secs=3), str | None)
    assert_type(await async_payload.find("a"), JobHandle[int])
    assert_type(async_payload.find_sync("a"), JobHandle[int])
    assert_type(async_payload.handle(5), JobHandle[int])
    context.add_event_handler(lambda event: None)()
