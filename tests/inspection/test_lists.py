"""context.jobs: pages of jobs, what comes next, and who runs with what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from cuckmq import Context, Fail, JobDefinition, JobState, Worker
from cuckmq.errors import (
    ChannelNotFound,
    ConfigurationError,
    DefinitionNotFound,
    InvalidPayload,
    JobFailed,
    NotFound,
)
from tests.support.queue import Queue


class Mail(BaseModel):
    to: str
    copies: int = 1


@pytest.fixture
async def send(context: Context) -> JobDefinition[Mail, None]:
    @context.job(name="SEND", channel="mail")
    async def send(mail: Mail) -> Fail | None:
        return Fail("no such address") if mail.to == "nobody" else None

    await send.deploy()
    return send


async def ids(context: Context, **filters: Any) -> list[int]:
    return [job.id for job in await context.jobs.list(**filters)]


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_pages_hold_every_job_once(
    context: Context, send: JobDefinition[Mail, None], oldest_first: bool
) -> None:
    """H3: live and ended jobs in one order, page after page, though others come and go between them."""
    handles = await send.enqueue_many([Mail(to="a")] * 5)
    async with Worker(context):
        for handle in handles:
            await handle.result(timeout_secs=10)
    handles += await send.enqueue_many([Mail(to="a")] * 5)
    handles += await send.enqueue_many([Mail(to="a")] * 5, delay_secs=60)
    expected = sorted((handle.id for handle in handles), reverse=not oldest_first)
    seen: list[int] = []
    while page := await ids(context, limit=4, after=seen[-1] if seen else None, oldest_first=oldest_first):
        assert len(page) == min(4, 15 - len(seen))
        seen += page
        if len(seen) == 8:
            await context.jobs.cancel(seen[-1])
            if not oldest_first:
                await send.enqueue(Mail(to="late"))
    assert seen == expected


async def test_every_filter_narrows_the_list(context: Context, send: JobDefinition[Mail, None]) -> None:
    """H3: state, name, channel and group, alone and together."""
    started, go_on = asyncio.Event(), asyncio.Event()

    @context.job(name="HOLD", channel="slow")
    async def hold() -> None:
        started.set()
        await go_on.wait()

    await hold.deploy()
    failed = await send.enqueue(Mail(to="nobody"))
    running = await hold.enqueue(job_group="g")
    async with Worker(context):
        await started.wait()
        with pytest.raises(JobFailed):
            await failed.result(timeout_secs=10)
        held = await hold.enqueue(job_group="g")
        later = await send.enqueue(Mail(to="a"), delay_secs=60, channel="slow")
        assert await ids(context) == [later.id, held.id, running.id, failed.id]
        assert await ids(context, state=JobState.RUNNING) == [running.id]
        assert await ids(context, state="queued") == [held.id]
        assert await ids(context, state=JobState.SCHEDULED) == [later.id]
        assert await ids(context, state=JobState.FAILED) == [failed.id]
        assert await ids(context, state=JobState.BLOCKED) == []
        assert await ids(context, name="SEND") == [later.id, failed.id]
        assert await ids(context, channel="slow") == [later.id, held.id, running.id]
        assert await ids(context, name="SEND", channel="slow") == [later.id]
        assert await ids(context, job_group="g", state=JobState.QUEUED, name="HOLD") == [held.id]
        (found,) = await context.jobs.list(state=JobState.FAILED)
        assert found == await failed.get()
        go_on.set()
        await held.result(timeout_secs=10)


async def test_wrong_names_and_limits_are_refused(context: Context, send: JobDefinition[Mail, None]) -> None:
    """H3: a typing error is no empty list."""
    with pytest.raises(DefinitionNotFound, match='no job definition "SEMD"'):
        await context.jobs.list(name="SEMD")
    with pytest.raises(ChannelNotFound, match='no channel "mial"'):
        await context.jobs.peek("mial")
    with pytest.raises(NotFound):
        await context.jobs.find_running("SEMD")
    assert issubclass(NotFound, LookupError)
    with pytest.raises(ConfigurationError, match="'asleep' is no state of a job: take one of scheduled"):
        await context.jobs.list(state="asleep")  # type: ignore[arg-type]
    for limit in (0, 10_001, True, "7"):
        with pytest.raises(ConfigurationError, match="limit is a whole number from 1 to 10,000"):
            await context.jobs.list(limit=limit)  # type: ignore[arg-type]


async def test_peek_tells_what_is_claimed_next(
    context: Context, send: JobDefinition[Mail, None], dsn: str
) -> None:
    """H3: by priority, then by moment; of a group the first; and so it is then claimed."""
    first = await send.enqueue(Mail(to="1"))
    grouped = await send.enqueue(Mail(to="2"), job_group="g")
    behind = await send.enqueue(Mail(to="3"), job_group="g")
    urgent = await send.enqueue(Mail(to="4"), priority=9)
    await send.enqueue(Mail(to="5"), delay_secs=60)
    await send.enqueue(Mail(to="6"), channel="other")
    last = await send.enqueue(Mail(to="7"))
    peeked = [job.id for job in await context.jobs.peek("mail", 10)]
    assert peeked == [urgent.id, first.id, grouped.id, last.id]
    assert [job.id for job in await context.jobs.peek("mail", 2)] == [urgent.id, first.id]
    with Queue(dsn, context.schema) as queue:
        worker_id = queue.eye.register()
        (mail,) = queue.eye.rows("select id from {schema}.channel where name = 'mail'")[0]
        claimed = queue.eye.claim(worker_id, channel_ids=[mail])
        assert {job.job_id for job in claimed} == set(peeked)
        assert await context.jobs.peek("mail") == []
        queue.eye.succeed(worker_id, claimed)
        assert [job.id for job in await context.jobs.peek("mail")] == [behind.id]
        queue.eye.rows("select {schema}.retire_worker(%s)", worker_id)


async def test_peek_counts_what_has_come_due(
    context: Context, send: JobDefinition[Mail, None], dsn: str
) -> None:
    """H3: though no claim has moved it yet; in a group too."""
    alone = await send.enqueue(Mail(to="1"), delay_secs=60)
    grouped = await send.enqueue(Mail(to="2"), delay_secs=60, job_group="g")
    assert await context.jobs.peek("mail") == []
    with Queue(dsn, context.schema) as queue:
        queue.make_due()
    assert [job.id for job in await context.jobs.peek("mail")] == [alone.id, grouped.id]


async def test_what_runs_is_found_by_its_payload(context: Context, dsn: str) -> None:
    """H3: equal as a value, whatever the order of its keys; a payload that jsonb refuses harms no search."""

    @context.job(name="SEND")
    async def send(mail: Mail) -> None: ...

    await send.deploy()
    with Queue(dsn, context.schema) as queue:
        one = queue.eye.enqueue("SEND", '{"copies": 2, "to": "a"}')
        two = queue.eye.enqueue("SEND", '{"to": "b", "copies": 2}')
        queue.eye.enqueue("SEND", '{"to": "\\u0000", "copies": 2}')
        queue.eye.enqueue("SEND", '{"to": "x", "copies": 1e999999}')
        assert await context.jobs.find_running("SEND") == []
        worker_id = queue.eye.register()
        queue.eye.claim(worker_id)
        waiting = await send.enqueue(Mail(to="a", copies=2))
        assert [job.id for job in await context.jobs.find_running("SEND", Mail(to="a", copies=2))] == [one]
        assert [job.id for job in await context.jobs.find_running("SEND", Mail(to="b", copies=2))] == [two]
        assert await context.jobs.find_running("SEND", Mail(to="a")) == []
        assert waiting.id not in {job.id for job in await context.jobs.find_running("SEND")}
        with pytest.raises(InvalidPayload, match="no job 'SEND' has such a payload"):
            await context.jobs.find_running("SEND", 7)
        async with Context(dsn, schema=context.schema) as elsewhere:
            found = await elsewhere.jobs.find_running("SEND", {"to": "a", "copies": 2})
            assert [job.id for job in found] == [one]
        queue.eye.retire(worker_id)


def test_a_page_reads_no_more_than_a_page(dsn: str, schema: str) -> None:
    """H3: the newest of many jobs are found without looking at the others, statistics or none."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
        queue.eye.deploy("SEND")
        for _ in range(20):
            queue.eye.enqueue_many("SEND", ["1"] * 1000)
        queue.eye.rows("select {schema}.find_jobs(p_limit => 10)")
        (plan,) = queue.eye.rows(
            "explain (analyze, buffers, format json) select {schema}.find_jobs(p_limit => 10)"
        )[0]
        top = plan[0]["Plan"]
        assert top["Actual Rows"] == 10
        assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 100
