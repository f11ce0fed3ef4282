"""Events of daemons, and of jobs that are cancelled or lose their worker."""

from __future__ import annotations

import asyncio

from cuckmq import Attempt, Cancel, Context, Orchestrator, Worker, events
from cuckmq.database.run import run
from cuckmq.events import Event
from cuckmq.protocol.exchange import Demand, exchange
from tests.support.eventually import eventually


async def test_the_life_of_daemons_as_events(context: Context):
    """I15: each thing once, however often it is asked for."""
    told: list[Event] = []
    context.add_event_handler(told.append)
    worker, orchestrator = Worker(context, name="w", idle_secs=60), Orchestrator(context)
    await worker.stop()
    async with orchestrator, worker:
        first_id = worker.worker_id
        for _ in range(2):
            await worker.pause()
        for _ in range(2):
            worker.resume()
        worker._presence.ear.on_silence(first_id)
        await eventually(lambda: worker.worker_id > first_id)
        second_id = worker.worker_id
    await worker.stop()
    kinds = [(type(e).__name__, getattr(e, "worker_id", None)) for e in told]
    assert kinds == [
        ("OrchestratorStarted", None),
        ("WorkerStarted", first_id),
        ("WorkerPaused", first_id),
        ("WorkerResumed", first_id),
        ("WorkerLost", first_id),
        ("WorkerStarted", second_id),
        ("WorkerStopped", second_id),
        ("OrchestratorStopped", None),
    ]
    assert {e.name for e in told if isinstance(e, events.WorkerEvent)} == {"w"}


async def test_cancelled_jobs_as_events(context: Context):
    """I12: told once, by who cancelled a queued job, or by the worker whose attempt ended so."""
    told: list[Event] = []
    context.add_event_handler(told.append)
    started = asyncio.Event()

    @context.job(name="endless")
    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    @context.job(name="resigns")
    async def resigns() -> Cancel:
        return Cancel("no need")

    def cancelled() -> list[tuple[int, str]]:
        return [(e.job_id, e.name) for e in told if isinstance(e, events.JobCancelled)]

    def ended() -> list[tuple[int, str, str]]:
        return [(e.job_id, e.name, e.state.value) for e in told if isinstance(e, events.JobEnded)]

    await context.deploy()
    one, two = await endless.enqueue(), await endless.enqueue()
    await one.cancel()
    await one.cancel()
    await context.jobs.cancel(two.id)
    expected = [(one.id, "endless"), (two.id, "endless")]
    assert cancelled() == expected
    async with Worker(context):
        three = await endless.enqueue()
        await started.wait()
        await three.cancel()
        expected.append((three.id, "endless"))
        await eventually(lambda: cancelled() == expected)
        four = await resigns.enqueue()
        expected.append((four.id, "resigns"))
        await eventually(lambda: cancelled() == expected)
    assert not [e for e in told if isinstance(e, events.AttemptSucceeded)]
    assert ended() == [(*each, "cancelled") for each in expected]


async def test_cancelled_without_a_loop_or_by_the_dozen(context: Context):
    """I12: told by whoever cancels, also of a definition that keeps none that end so."""

    @context.job(name="fleeting", keep_failed_secs=0)
    def fleeting() -> None: ...

    await context.deploy()
    told: list[Event] = []
    context.add_event_handler(told.append)
    ids = [(await fleeting.enqueue()).id for _ in range(3)]
    assert await asyncio.to_thread(context.jobs.cancel_sync, ids[0])
    await context.jobs.cancel_many(name="fleeting")
    assert [(e.job_id, e.name) for e in told if isinstance(e, events.JobCancelled)] == [
        (job_id, "fleeting") for job_id in ids
    ]


async def test_that_a_job_has_ended_either_way(context: Context):
    """I9: told once of each job, last, with its state, worker and time."""
    told: list[Event] = []
    context.add_event_handler(told.append)

    @context.job(name="fine", num_attempts=2, backoff=0)
    async def fine(payload: int, attempt: Attempt) -> None:
        if attempt.error_count == 0:
            raise ValueError("once more")

    @context.job(name="bad")
    async def bad() -> None:
        raise ValueError("no")

    @context.job(name="late", expires_secs=1)
    async def late() -> None: ...

    await context.deploy()
    too_late = await late.enqueue()
    async with context.database.connection() as connection:
        await connection.execute(f"update \"{context.schema}\".job set expires_at = now() - interval '1 s'")
    async with Worker(context) as worker:
        ids = {(await fine.enqueue(1)).id: "succeeded", (await bad.enqueue()).id: "failed"}
        ids[too_late.id] = "failed"
        await eventually(lambda: len([e for e in told if isinstance(e, events.JobEnded)]) == 3)
        worker_id = worker.worker_id
    ended = {e.job_id: e for e in told if isinstance(e, events.JobEnded)}
    assert {job_id: e.state.value for job_id, e in ended.items()} == ids
    for job_id, event in ended.items():
        assert [e for e in told if getattr(e, "job_id", None) == job_id][-1] is event
        assert event.reason == {"fine": None, "bad": "error", "late": "expired"}[event.name]
        if event.name != "late":
            assert event.worker_id == worker_id
            assert (event.duration_secs or 0) > 0


async def test_stalled_jobs_as_events(context: Context):
    """I10, I15: told by the rescuer, put back or failed, with the worker that was lost, and once of that."""
    told: list[Event] = []
    context.add_event_handler(told.append)

    @context.job(name="robust")
    async def robust() -> None: ...

    @context.job(name="frail", num_stalls=0)
    async def frail() -> None: ...

    await context.deploy()
    ids = [(await robust.enqueue()).id, (await frail.enqueue()).id]
    async with context.database.connection() as connection:
        schema = context.schema
        cursor = await connection.execute(
            f"select worker_id from \"{schema}\".register_worker('w', 'h', 1, '0', 1, null, 0.2)"
        )
        (dead_id,) = await cursor.fetchone() or (0,)
        demand = Demand(None, list(context.known), limit=9)
        for _ in ids:
            await run(connection, exchange(dead_id, [], [], demand), schema)
        await connection.commit()
    async with Worker(context):
        await eventually(lambda: len([e for e in told if isinstance(e, events.JobStalled)]) == 2)
    stalled = [e for e in told if isinstance(e, events.JobStalled)]
    assert {(e.job_id, e.name, e.worker_id, e.state.value) for e in stalled} == {
        (ids[0], "robust", dead_id, "queued"),
        (ids[1], "frail", dead_id, "failed"),
    }
    assert [e.reason for e in told if isinstance(e, events.JobFailed)] == ["stalled"]
    assert [(e.worker_id, e.name) for e in told if isinstance(e, events.WorkerLost)] == [(dead_id, "w")]
