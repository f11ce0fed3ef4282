"""What log lines say, and do not say."""

from __future__ import annotations

import logging

import pytest

from cuckmq import Context, Orchestrator, Worker
from tests.support.eventually import eventually


async def test_debug_lines_say_of_payloads_what_they_are_told_to(
    context: Context, caplog: pytest.LogCaptureFixture
):
    """A6: off by default; on, they name the job, and describe its payload only by the definition's words."""

    @context.job(name="silent")
    async def silent(payload: str) -> None: ...

    @context.job(name="undescribable", describe=lambda payload: payload[99])
    async def undescribable(payload: str) -> None: ...

    @context.job(name="described", describe=lambda payload: f"{payload[0]}***")
    async def described(payload: str) -> None: ...

    await context.deploy()
    caplog.set_level(logging.INFO, logger="cuckmq")
    async with Worker(context):
        await (await silent.enqueue("S3CR3T")).result(timeout_secs=10)
        assert "starts" not in caplog.text
        caplog.set_level(logging.DEBUG, logger="cuckmq")
        await (await silent.enqueue("S3CR3T")).result(timeout_secs=10)
        await (await described.enqueue("S3CR3T")).result(timeout_secs=10)
        await (await undescribable.enqueue("S3CR3T")).result(timeout_secs=10)
    assert "cannot be described" in caplog.text
    assert "(silent) attempt 1 starts" in caplog.text
    assert "(described) attempt 1 starts: S***" in caplog.text
    assert "S3CR3T" not in caplog.text
    assert {record.name.split(".")[0] for record in caplog.records} <= {"cuckmq", "asyncio", "psycopg"}


async def test_a_repeating_job_runs_in_its_group(context: Context):
    """D1, E9: what an orchestrator enqueues has the definition's group as well."""

    @context.job(name="often", repeat_secs=60, job_group="g")
    async def often() -> None: ...

    await context.deploy()
    async with Orchestrator(context):

        async def groups() -> bool:
            jobs = await context.jobs.get_many([1])
            return [job.job_group for job in jobs] == ["g"]

        await eventually(groups)
