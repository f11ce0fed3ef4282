"""How long jobs are kept after their end, by definition and outcome."""

from __future__ import annotations

import asyncio

import pytest

from cuckmq import Context, Fail, JobDefinition, Orchestrator, Worker
from cuckmq.errors import ConfigurationError, JobFailed, JobNotFound
from cuckmq.events import AttemptSucceeded, Event, JobDeleted
from tests.support.eventually import eventually
from tests.support.queue import Queue


def verdict(text: str) -> str | Fail:
    return Fail("told so") if text == "fail" else text


async def deployed(context: Context, name: str, **ages: float) -> JobDefinition[str, str]:
    definition: JobDefinition[str, str] = JobDefinition(
        context=context, name=name, work_function=verdict, **ages
    )
    await definition.deploy()
    return definition


async def test_a_success_is_removed_at_once(context: Context, dsn: str) -> None:
    """L2: history is not written, a waiter hears so at once, and the event is told; a failure stays."""
    seen: list[Event] = []
    context.add_event_handler(seen.append)
    brief = await deployed(context, "BRIEF", keep_succeeded_secs=0)
    async with Worker(context):
        good = await brief.enqueue("good")
        with pytest.raises(JobNotFound, match="keeps none"):
            await good.result(timeout_secs=10)
        with pytest.raises(JobFailed, match="declared"):
            await (await brief.enqueue("fail")).result(timeout_secs=10)
        await eventually(lambda: any(isinstance(each, AttemptSucceeded) for each in seen))
    with Queue(dsn, context.schema) as queue:
        assert queue.eye.rows("select state from {schema}.finalized") == [("failed",)]


async def test_a_failure_is_removed_at_once(context: Context) -> None:
    """L2: failed or cancelled; a success stays."""
    proud = await deployed(context, "PROUD", keep_failed_secs=0)
    withdrawn = await proud.enqueue("late", delay_secs=60)
    assert await withdrawn.cancel()
    async with Worker(context):
        bad = await proud.enqueue("fail")
        with pytest.raises(JobNotFound):
            await bad.result(timeout_secs=10)
        with pytest.raises(JobNotFound):
            await withdrawn.result(timeout_secs=10)
        assert await (await proud.enqueue("good")).result(timeout_secs=10) == "good"


def test_a_lost_worker_can_end_a_job_of_which_nothing_is_kept(dsn: str, schema: str) -> None:
    """L2: the rescue names the job all the same."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
        queue.eye.deploy("BRIEF", p_num_stalls=0, p_keep_failed_secs=0)
        job_id = queue.eye.enqueue("BRIEF")
        worker_id = queue.eye.register()
        queue.eye.claim(worker_id)
        queue.silence(worker_id)
        rescued = queue.eye.rows("select * from {schema}.rescue()")
        assert (job_id, "failed", worker_id, "BRIEF", "stalled", None) in rescued
        assert queue.state(job_id) is None
        assert queue.eye.problems() == []


async def test_each_definition_has_its_own_age(context: Context, dsn: str) -> None:
    """L2: shorter or longer than the context's, and the orchestrator keeps to it."""
    deleted: list[int] = []
    context.add_event_handler(
        lambda event: deleted.append(event.job_id) if isinstance(event, JobDeleted) else None
    )
    brief = await deployed(context, "BRIEF", keep_succeeded_secs=60)
    plain = await deployed(context, "PLAIN")
    long = await deployed(context, "LONG", keep_succeeded_secs=10 * 86_400)
    handles = [await each.enqueue("good") for each in (brief, plain, long)]
    async with Worker(context):
        await asyncio.gather(*(handle.result(timeout_secs=10) for handle in handles))
    with Queue(dsn, context.schema) as queue:
        for hours, gone in ((1, handles[:1]), (48, handles[:2])):
            queue.eye.rows(
                "update {schema}.finalized set finalized_at = finalized_at - make_interval(hours => %s),"
                " purge_at = purge_at - make_interval(hours => %s)", hours, hours,
            )  # fmt: skip
            async with Orchestrator(context, job_delete_poll_secs=0.05):
                await eventually(lambda gone=gone: deleted == [each.id for each in gone])
            kept = queue.eye.rows("select job_id from {schema}.finalized order by job_id")
            assert [row[0] for row in kept] == [each.id for each in handles if each not in gone]


def test_a_plain_job_bears_no_age(dsn: str, schema: str) -> None:
    """L2: who asks for nothing pays for nothing: no column is filled, no second index is written."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
        queue.eye.deploy("PING")
        queue.eye.enqueue("PING")
        ages = queue.eye.rows("select keep_succeeded_secs, keep_failed_secs from {schema}.job")
        assert ages == [(None, None)]
        worker_id = queue.eye.register()
        queue.eye.succeed(worker_id, queue.eye.claim(worker_id))
        assert queue.eye.rows("select purge_at from {schema}.finalized") == [(None,)]


@pytest.mark.parametrize("age", [-1, float("nan"), "day"])
def test_an_age_that_is_none(age: object) -> None:
    """L2: refused where it is written."""
    with pytest.raises(ConfigurationError, match="keep_failed_secs"):
        JobDefinition(
            context=Context("postgresql://nowhere"), name="ODD", work_function=verdict,
            keep_failed_secs=age,  # type: ignore[arg-type]
        )  # fmt: skip
