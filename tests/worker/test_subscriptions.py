"""Events of other processes: who subscribes, who publishes, and that nobody pays for nobody."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from cuckmq import Context, JobDefinition, Orchestrator, Worker, event_text, events
from cuckmq.errors import ConfigurationError
from cuckmq.events import (
    AttemptSucceeded,
    Event,
    JobEvent,
    JobFailed,
    WorkerStarted,
    WorkerStopped,
)
from tests.support.eventually import eventually

ELSEWHERE = """
import asyncio, sys
from cuckmq import Context, Worker
context = Context(sys.argv[1], schema=sys.argv[2])
@context.job(name="ECHO")
async def echo(number: int) -> int:
    if number < 0:
        raise ValueError("below zero")
    return number
async def main():
    async with context, Worker(context):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


@pytest.fixture
async def echo(context: Context) -> JobDefinition[int, int]:
    @context.job(name="ECHO")
    async def echo(number: int) -> int:
        if number < 0:
            raise ValueError("below zero")
        return number

    await echo.deploy()
    return echo


@pytest.fixture
async def elsewhere(context: Context, dsn: str, schema: str) -> AsyncGenerator[Context]:
    """The same queue, as another process sees it."""
    async with Context(dsn, schema=schema) as elsewhere:
        yield elsewhere


async def take(subscription: Any, number: int) -> list[Any]:
    async with asyncio.timeout(15):
        return [await anext(subscription) for _ in range(number)]


async def is_fed(context: Context) -> None:
    """Wait until the daemons of the context know of a subscription."""
    await eventually(lambda: context.events.is_heard)


async def test_events_of_another_process(echo: JobDefinition[int, int], context: Context, dsn: str) -> None:
    """I2: of the kinds that were asked for, and no other; whole, and in their order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ELSEWHERE, dsn, context.schema,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"ready\n"
    async with context.subscribe(AttemptSucceeded, JobFailed, WorkerStopped) as subscription:
        # The first may come before that process has heard of us: go on until one is told.
        warm = asyncio.create_task(anext(subscription))
        while not warm.done():
            await (await echo.enqueue(0)).result(timeout_secs=10)
            await asyncio.wait((warm,), timeout=0.2)
        good, bad = await echo.enqueue(7), await echo.enqueue(-1)
        seen: list[Event] = []
        async with asyncio.timeout(15):
            while not any(isinstance(event, JobFailed) for event in seen):
                seen.append(await anext(subscription))
        process.stdin.write(b"\n")
        assert await asyncio.wait_for(process.wait(), 20) == 0
        async with asyncio.timeout(15):
            while not any(isinstance(event, WorkerStopped) for event in seen):
                seen.append(await anext(subscription))
    assert {type(event) for event in seen} == {AttemptSucceeded, JobFailed, WorkerStopped}
    (succeeded,) = [e for e in seen if isinstance(e, AttemptSucceeded) and e.job_id == good.id]
    assert (succeeded.name, succeeded.attempt) == ("ECHO", 1)
    assert succeeded.duration_secs >= 0
    (failed,) = [event for event in seen if isinstance(event, JobFailed)]
    assert (failed.job_id, failed.name, failed.reason) == (bad.id, "ECHO", "error")
    assert seen.index(succeeded) < seen.index(failed)
    process._transport.close()  # type: ignore[attr-defined]


async def test_special_cases_and_all(
    echo: JobDefinition[int, int], context: Context, elsewhere: Context
) -> None:
    """I2: a class stands for those derived from it; no class for all. Each subscriber has each event once."""
    async with (
        Worker(context),
        Orchestrator(context),
        elsewhere.subscribe(JobEvent) as of_jobs,
        elsewhere.subscribe() as of_all,
    ):
        await is_fed(context)
        handle = await echo.enqueue(1)
        await handle.result(timeout_secs=10)
        seen: list[Event] = []
        async with asyncio.timeout(15):
            while not any(isinstance(event, AttemptSucceeded) for event in seen):
                seen.append(await anext(of_jobs))
        assert all(isinstance(event, JobEvent) for event in seen)
        assert len({(type(event), event.at) for event in seen}) == len(seen)
        assert (await take(of_all, len(seen)))[-1].at <= seen[-1].at


async def test_nobody_pays_while_nobody_listens(
    echo: JobDefinition[int, int], context: Context, elsewhere: Context
) -> None:
    """I2: no events are made and none laid down, before a subscription and after it."""

    async def num_events() -> int:
        async with context.database.connection() as connection:
            cursor = await connection.execute(f'select count(*) from "{context.schema}".event'.encode())
            row = await cursor.fetchone()
            assert row is not None
            return int(row[0])

    async with Worker(context):
        await (await echo.enqueue(1)).result(timeout_secs=10)
        assert not context.events.is_heard
        assert await num_events() == 0
        async with elsewhere.subscribe(AttemptSucceeded) as subscription:
            await is_fed(context)
            await (await echo.enqueue(2)).result(timeout_secs=10)
            await take(subscription, 1)
            assert await num_events() == 1
        await eventually(lambda: not context.events.is_heard)


async def test_events_that_commit_out_of_order_are_all_read(context: Context, elsewhere: Context) -> None:
    """I2: a lower number that is seen after a higher one is not passed over."""
    publish = f"select \"{context.schema}\".publish_events(array['JobFailed'], array[%s])".encode()

    def failed(number: int) -> str:
        return event_text.to_text(JobFailed(job_id=number, name="X", reason="error"))

    async with elsewhere.subscribe(JobFailed) as subscription:
        first = await psycopg.AsyncConnection.connect(context.database.dsn)
        async with first, context.database.connection() as second:
            await first.execute(publish, [failed(1)])
            await second.execute(publish, [failed(2)])
            assert [event.job_id for event in await take(subscription, 1)] == [2]
            await first.commit()
            assert [event.job_id for event in await take(subscription, 1)] == [1]
            await second.execute(publish, [failed(3)])
            assert [event.job_id for event in await take(subscription, 1)] == [3]


async def test_what_is_not_known_is_passed_over(context: Context, elsewhere: Context) -> None:
    """I2: a kind of a newer version, and a known one in another shape, harm no reader."""
    async with elsewhere.subscribe() as subscription, context.database.connection() as connection:
        text = event_text.to_text(WorkerStarted(worker_id=1, name="w"))
        await connection.execute(
            f'select "{context.schema}".publish_events(%s, %s)'.encode(),
            [["NewThing", "JobFailed", "WorkerStarted"], ['{"x": 1}', '{"x": 1}', text]],
        )
        (event,) = await take(subscription, 1)
        assert event.name == "w"


async def test_who_lets_his_subscription_expire_goes_on_under_another(
    context: Context, elsewhere: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I2: one that nobody renewed is cleaned away, and made anew by the next look."""
    monkeypatch.setattr("cuckmq.subscription.RENEW_SECS", 0.0)
    async with elsewhere.subscribe(JobFailed) as subscription, context.database.connection() as connection:
        await connection.execute(f'delete from "{context.schema}".subscription'.encode())
        text = event_text.to_text(JobFailed(job_id=1, name="X", reason="error"))
        await connection.execute(
            f"select \"{context.schema}\".publish_events(array['JobFailed'], array[%s])".encode(), [text]
        )
        await take(subscription, 1)
        cursor = await connection.execute(f'select count(*) from "{context.schema}".subscription'.encode())
        assert await cursor.fetchone() == (1,)


@pytest.mark.parametrize("kind", [int, "JobFailed", None])
def test_what_is_no_kind_of_event(context: Context, kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="subscribe takes classes of"):
        context.subscribe(kind)


def test_every_event_can_be_written_and_read() -> None:
    """I2: of each class there is."""

    samples: dict[str, Any] = {
        "str": "x",
        "int": 3,
        "float": 0.5,
        "bool": True,
        "datetime": datetime.now(UTC),
    }
    for name, kind in event_text.KINDS.items():
        given: dict[str, Any] = {}
        for field in dataclasses.fields(kind):
            told = str(field.type)
            if "None" in told:
                given[field.name] = None
            elif told in samples:
                given[field.name] = samples[told]
        try:
            event = kind(**given)
        except TypeError:
            continue
        assert event_text.from_text(name, event_text.to_text(event)) == event
    assert set(event_text.KINDS) >= {"JobFailed", "AttemptSucceeded"}
    assert event_text.KINDS["JobFailed"] is events.JobFailed
