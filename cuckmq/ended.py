"""Tells that a job has ended, in one way whoever ended it: its worker, a rescuer, or who cancelled it."""

from __future__ import annotations

from cuckmq.events import JobCancelled, JobEnded, JobFailed
from cuckmq.hub import EventHub
from cuckmq.state import JobState


def tell_ended(
    events: EventHub,
    job_id: int,
    name: str,
    state: JobState,
    *,
    reason: str | None = None,
    worker_id: int | None = None,
    duration_secs: float | None = None,
) -> None:
    """Tell how a job ended, and then that it did. Call it once that is true in the database."""
    if state is JobState.FAILED:
        events.tell(JobFailed(job_id=job_id, name=name, reason=reason or "error"))
    elif state is JobState.CANCELLED:
        events.tell(JobCancelled(job_id=job_id, name=name))
    events.tell(
        JobEnded(
            job_id=job_id,
            name=name,
            state=state,
            reason=reason,
            worker_id=worker_id,
            duration_secs=duration_secs,
        )
    )
