"""Run what is there, here and now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cuckmq.context import Context
from cuckmq.events import AttemptFailed, AttemptSucceeded, Event, JobFailed
from cuckmq.job import Job
from cuckmq.state import JobState
from cuckmq.types import Secs, as_secs
from cuckmq.worker import Worker

LOOK_SECS = 0.01


async def drain(
    context: Context, *, channels: Sequence[str] | None = None, timeout_secs: Secs = 30.0
) -> list[Job]:
    """Work in this process until nothing may run, one job at a time, and return the jobs that were run.

    Jobs that running jobs put in are run as well. What is scheduled for later stays where it is, and so
    does what this context has no definition for.

    Args:
        context: its definitions are run.
        channels: which to serve; None for all.
        timeout_secs: how long it may take.

    Returns:
        The jobs an attempt of which has ended, in the order in which it did, as they are afterwards.

    Raises:
        TimeoutError: something still runs.
    """
    job_ids: dict[int, None] = {}

    def note(event: Event) -> None:
        if isinstance(event, AttemptSucceeded | AttemptFailed | JobFailed):
            job_ids[event.job_id] = None

    remove = context.add_event_handler(note)
    try:
        async with asyncio.timeout(as_secs("timeout_secs", timeout_secs)):
            async with Worker(context, name="drain", channels=channels, concurrency=1, shutdown_secs=1):
                while not await _is_idle(context):  # noqa: ASYNC110 - the fact is in the database
                    await asyncio.sleep(LOOK_SECS)
    finally:
        remove()
    return await context.jobs.get_many(list(job_ids))


async def _is_idle(context: Context) -> bool:
    counts = await context.jobs.count()
    num_orphans = len(await context.jobs.find_orphans())
    return counts[JobState.RUNNING] == 0 and counts[JobState.QUEUED] <= num_orphans
