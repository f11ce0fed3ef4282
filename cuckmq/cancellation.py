"""Cancels jobs, and tells of those that are cancelled at once. Of one that runs its worker tells."""

from __future__ import annotations

from cuckmq.database.database import Database
from cuckmq.ended import tell_ended
from cuckmq.hub import EventHub
from cuckmq.protocol.cancel import cancel
from cuckmq.protocol.inspect import find_name
from cuckmq.state import JobState


async def cancel_job(job_id: int, database: Database, events: EventHub) -> str | None:
    """Cancel a job, in a transaction of its own. Returns what cancel.sql does."""
    # Asked before: a definition may keep none that end so. And only for those who listen.
    names = await database.run(find_name(job_id)) if events.is_heard else []
    (answer,) = await database.run(cancel(job_id))
    _tell(job_id, answer, names, events)
    return answer


def cancel_job_sync(job_id: int, database: Database, events: EventHub) -> str | None:
    """Do what cancel_job() does, without an event loop."""
    names = database.run_sync(find_name(job_id)) if events.is_heard else []
    (answer,) = database.run_sync(cancel(job_id))
    _tell(job_id, answer, names, events)
    return answer


def is_accepted(answer: str | None) -> bool:
    """Whether the job is cancelled, or was asked to be."""
    return answer in ("cancelled", "requested")


def _tell(job_id: int, answer: str | None, names: list[str], events: EventHub) -> None:
    if answer == "cancelled" and names:
        tell_ended(events, job_id, names[0], JobState.CANCELLED)
