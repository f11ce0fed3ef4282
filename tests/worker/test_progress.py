"""What a job says of itself: how far it is, and notes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from cuckmq import Attempt, Context, Worker, events
from cuckmq.errors import AttemptLost, ConfigurationError
from cuckmq.events import Event
from tests.support.eventually import eventually


async def test_progress_is_seen_while_the_job_runs(context: Context):
    """G5, I11: by whoever looks, and told as an event once it is written."""
    told: list[Event] = []
    context.add_event_handler(told.append)
    may_end = asyncio.Event()

    @context.job(name="long")
    async def long(payload: None, attempt: Attempt) -> None:
        attempt.progress(0.25)
        attempt.progress(0.5, "half")
        await may_end.wait()

    await context.deploy()
    async with Worker(context) as worker:
        handle = await long.enqueue()
        await eventually(lambda: [e for e in told if isinstance(e, events.JobProgressed)])
        job = await handle.get()
        assert (job.state.value, job.progress, job.progress_message) == ("running", 0.5, "half")
        may_end.set()
        await handle.result(timeout_secs=10)
        (event,) = (e for e in told if isinstance(e, events.JobProgressed))
        assert (event.job_id, event.fraction, event.message) == (handle.id, 0.5, "half")
        assert event.worker_id == worker.worker_id


@pytest.mark.parametrize("is_async", [True, False])
async def test_the_last_word_lands_and_few_are_written(context: Context, is_async: bool):
    """G5, G6: ten thousand calls are a few writes, and who sees the end sees the last of them."""
    num_written = 0

    def count(event: Event) -> None:
        nonlocal num_written
        num_written += isinstance(event, events.JobProgressed)

    context.add_event_handler(count)

    def say(attempt: Attempt) -> None:
        for number in range(10_001):
            attempt.progress(number / 10_000)
            attempt.update({"number": number, f"key {number % 3}": [number]})

    async def speak(payload: None, attempt: Attempt) -> None:
        say(attempt)

    def speak_in_thread(payload: None, attempt: Attempt) -> None:
        assert threading.current_thread() is not threading.main_thread()
        say(attempt)
        assert isinstance(attempt.read_notes_sync(), dict)

    speaker: Any = speak if is_async else speak_in_thread
    definition = context.job(name="chatty")(speaker)
    await context.deploy()
    async with Worker(context):
        handle = await definition.enqueue()
        await handle.result(timeout_secs=20)
        job = await handle.get()
    assert job.progress == 1
    assert job.notes == {"number": 10_000, "key 0": [9999], "key 1": [10_000], "key 2": [9998]}
    assert 1 <= num_written <= 40


async def test_notes_outlive_tries_and_end_with_the_job(context: Context):
    """G6: an attempt that failed has left its notes to the next; a purge leaves nothing behind."""

    @context.job(name="resumes", num_attempts=2, backoff=0)
    async def resumes(payload: None, attempt: Attempt) -> int:
        notes = await attempt.read_notes()
        attempt.update({"tries": [*notes.get("tries", []), attempt.number]})
        await attempt.flush()
        assert (await attempt.read_notes())["tries"][-1] == attempt.number
        attempt.update({"cursor": attempt.number})
        if attempt.error_count == 0:
            raise ValueError("again")
        return len(notes["tries"])

    await context.deploy()
    async with Worker(context):
        handle = await resumes.enqueue()
        assert await handle.result(timeout_secs=10) == 1
    job = await handle.get()
    assert job.notes["tries"] == [1, job.attempt]
    assert job.notes["cursor"] == job.attempt
    assert (await context.jobs.list())[0].notes == job.notes
    async with context.database.connection() as connection:
        table = f'select count(*) from "{context.schema}".progress'
        assert await (await connection.execute(table)).fetchone() == (1,)
        await connection.execute(f'select * from "{context.schema}".purge(0)')
        assert await (await connection.execute(table)).fetchone() == (0,)


async def test_within_its_own_transaction(context: Context):
    """G5: what is said is seen before the commit, and does not wait for it."""

    @context.job(name="careful")
    async def careful(payload: None, attempt: Attempt) -> float | None:
        async with attempt.transaction() as connection:
            await connection.execute("select 1")
            attempt.progress(0.5)
            await attempt.flush()
            seen = (await context.jobs.get(attempt.job_id)).progress
            attempt.progress(1)
            return seen

    await context.deploy()
    async with Worker(context):
        handle = await careful.enqueue()
        assert await handle.result(timeout_secs=10) == 0.5
    assert (await handle.get()).progress == 1


async def has_beaten(context: Context) -> bool:
    (info,) = await context.workers.list()
    return info.latency_secs is not None


async def give_to_another(context: Context, attempt: Attempt) -> None:
    """Have the queue believe that a later attempt has the job."""
    async with context.database.connection() as connection:
        await connection.execute(
            f'update "{context.schema}".running set attempt = attempt + 7 where job_id = %s',
            (attempt.job_id,),
        )


async def test_who_has_lost_the_job_writes_nothing(context: Context):
    """G6, F5: the fence of every outcome holds for notes."""
    answers: list[str] = []
    taken = asyncio.Event()

    @context.job(name="fenced", num_stalls=None)
    async def fenced(payload: None, attempt: Attempt) -> None:
        if attempt.stall_count:
            attempt.update({"by": "the second"})
            return
        await give_to_another(context, attempt)
        attempt.update({"by": "a zombie"})
        try:
            await attempt.flush()
        except AttemptLost as error:
            answers.append(str(error))
        taken.set()

    await context.deploy()
    worker = Worker(context, heartbeat_secs=60, lease_secs=180)

    async with worker:
        # So slow a heart notices no theft and cancels no attempt, but in its first beat, which may be late.
        await eventually(lambda: has_beaten(context))
        handle = await fenced.enqueue()
        await asyncio.wait_for(taken.wait(), 20)
        assert (await handle.get()).notes == {}
        await context.workers.evict(worker.worker_id)
        await handle.result(timeout_secs=20)
    assert (await handle.get()).notes == {"by": "the second"}
    assert answers == [f"job {handle.id} was given to another worker"]


async def test_what_cannot_be_kept_is_refused_at_once(context: Context):
    """G5, G6: by the call that says it; too much in all is refused when it is written."""
    complaints: list[str] = []

    @context.job(name="clumsy")
    async def clumsy(payload: None, attempt: Attempt) -> None:
        sayings: list[Any] = [
            lambda: attempt.progress(1.5),
            lambda: attempt.progress(float("nan")),
            lambda: attempt.progress(0.5, "nul \0"),
            lambda: attempt.update({"a": object()}),
            lambda: attempt.update([1]),  # type: ignore[arg-type]
        ]
        for saying in sayings:
            with pytest.raises(ConfigurationError):
                saying()
        attempt.update({"long": "x" * 100_001})
        with pytest.raises(ConfigurationError, match="too long"):
            await attempt.flush()
        attempt.update({"short": 1})
        complaints.append("all")

    await context.deploy()
    async with Worker(context):
        handle = await clumsy.enqueue()
        await handle.result(timeout_secs=10)
    assert complaints == ["all"]
    assert (await handle.get()).notes == {"short": 1}


async def test_a_flush_tells_of_a_loss_that_was_found_before(context: Context):
    """G6: the scribe may find out first, and flush() does not return as if all was written."""
    answers: list[str] = []

    @context.job(name="slow_to_flush")
    async def slow_to_flush(payload: None, attempt: Attempt) -> None:
        if attempt.stall_count:
            return
        await give_to_another(context, attempt)
        attempt.update({"by": "a zombie"})
        await eventually(lambda: attempt.outbox.is_empty and attempt.outbox.is_lost)
        try:
            await attempt.flush()
        except AttemptLost as error:
            answers.append(str(error))

    await context.deploy()
    async with Worker(context, heartbeat_secs=60, lease_secs=180):
        await eventually(lambda: has_beaten(context))
        handle = await slow_to_flush.enqueue()
        await eventually(lambda: answers)
    assert answers == [f"job {handle.id} was given to another worker"]
