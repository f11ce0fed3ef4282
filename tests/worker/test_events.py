"""Events: one class for each thing, told after it is true."""

from __future__ import annotations

from datetime import UTC, datetime

from cuckmq import Context, JobState, Orchestrator, Worker, events
from cuckmq.events import Event
from tests.support.eventually import eventually


async def test_the_life_of_jobs_as_events(context: Context):
    """I1, I3, I4, I5, I6, I7, I8, I18: in order, after commit, with worker id and duration."""
    told: list[Event] = []
    states: dict[int, JobState] = {}

    async def look(event: Event) -> None:
        if isinstance(event, events.AttemptSucceeded | events.JobFailed):
            states[event.job_id] = (await context.jobs.get(event.job_id)).state

    context.add_event_handler(told.append)
    context.add_event_handler(look)

    @context.job(name="good", job_group="g")
    async def good(payload: int) -> None: ...

    @context.job(name="bad", num_attempts=2, backoff=0)
    async def bad(payload: int) -> None:
        raise ValueError("no")

    await context.deploy()
    async with Worker(context) as worker:
        good_id = (await good.enqueue(1)).id
        bad_id = (await bad.enqueue(1)).id
        await eventually(lambda: [e for e in told if isinstance(e, events.JobFailed)])
        await eventually(lambda: states == {good_id: JobState.SUCCEEDED, bad_id: JobState.FAILED})
        worker_id = worker.worker_id

    def kinds(job_id: int) -> list[str]:
        return [type(e).__name__ for e in told if getattr(e, "job_id", None) == job_id]

    assert {e.name for e in told if isinstance(e, events.DefinitionDeployed)} == {"good", "bad"}
    # Claimed is told after its commit, when the work may have started already.
    assert sorted(kinds(good_id)) == [
        "AttemptStarted", "AttemptSucceeded", "JobClaimed", "JobEnded", "JobEnqueued",
    ]  # fmt: skip
    assert kinds(good_id)[0] == "JobEnqueued"
    assert kinds(good_id)[-2:] == ["AttemptSucceeded", "JobEnded"]
    assert kinds(bad_id).count("AttemptFailed") == 2
    assert kinds(bad_id)[-2:] == ["JobFailed", "JobEnded"]
    failures = [e for e in told if isinstance(e, events.AttemptFailed)]
    assert [(e.attempt, e.state, e.error_type, e.error) for e in failures] == [
        (1, JobState.SCHEDULED, "ValueError", "no"),
        (2, JobState.FAILED, "ValueError", "no"),
    ]
    assert all(e.worker_id == worker_id for e in told if isinstance(e, events.AttemptEvent))
    assert all(e.duration_secs >= 0 for e in failures)
    assert all(e.at <= datetime.now(UTC) for e in told)


async def test_a_handler_that_raises_changes_nothing(context: Context, caplog):
    """F10, I1: raising handlers, sync and async, are logged; a removed one hears nothing."""
    told: list[Event] = []

    def raises(event: Event) -> None:
        raise SystemExit("a handler")

    async def raises_later(event: Event) -> None:
        raise RuntimeError("a handler")

    context.add_event_handler(raises)
    context.add_event_handler(raises_later)
    remove = context.add_event_handler(told.append)

    @context.job(name="j")
    async def job(payload: int) -> int:
        return payload

    await context.deploy()
    async with Worker(context):
        assert await (await job.enqueue(1)).result(timeout_secs=10) == 1
        remove()
        remove()
        num_told = len(told)
        assert await (await job.enqueue(2)).result(timeout_secs=10) == 2
    assert num_told > 0
    assert len(told) == num_told
    assert "an event handler failed on JobEnqueued" in caplog.text


async def test_schedules_and_purge_as_events(context: Context, dsn: str):
    """D1, D4, I13, I14, L1: ticks, orphaned schedules, and deletions by age."""
    told: list[Event] = []
    context.job_post_finalize_delete_secs = 0.2
    context.add_event_handler(told.append)

    @context.job(name="often", repeat_secs=0.2)
    async def often() -> None: ...

    other = Context(dsn, schema=context.schema)

    @other.job(name="theirs", repeat_secs=60)
    async def theirs() -> None: ...

    async with other:
        await context.deploy()
        await other.deploy()
        async with Orchestrator(context, job_delete_poll_secs=0.1), Worker(context):
            await eventually(lambda: len([e for e in told if isinstance(e, events.JobDeleted)]) >= 2)
            await eventually(lambda: [e for e in told if isinstance(e, events.ScheduleOrphaned)])
    ticked = [e for e in told if isinstance(e, events.ScheduleTicked)]
    deleted = {e.job_id for e in told if isinstance(e, events.JobDeleted)}
    assert deleted <= {e.job_id for e in ticked}
    assert {e.name for e in told if isinstance(e, events.ScheduleOrphaned)} == {"theirs"}
    slots = [e.slot_at for e in ticked]
    assert len(set(slots)) == len(slots)
