"""Tells of workers that were found dead, and what became of their jobs: in the log, and as events."""

from __future__ import annotations

from collections.abc import Iterable

from cuckmq.ended import tell_ended
from cuckmq.events import JobStalled, WorkerLost
from cuckmq.hub import EventHub
from cuckmq.log import get_log
from cuckmq.protocol.workers import Reaped, Rescued
from cuckmq.state import JobState

_logger = get_log("cuckmq.rescuer")


def tell_found(events: EventHub, found: Iterable[Reaped]) -> None:
    """Tell what a rescue has found, once that is true in the database."""
    for row in found:
        if row.name is not None:
            tell_lost(events, row.worker_id, row.name)
        if row.rescued is not None:
            tell_rescued(events, [row.rescued])


def tell_lost(events: EventHub, worker_id: int, name: str) -> None:
    """Tell of a worker that was taken for dead."""
    _logger.warning("worker %s (%s) was taken for dead", worker_id, name)
    events.tell(WorkerLost(worker_id=worker_id, name=name))


def tell_rescued(events: EventHub, rescued: Iterable[Rescued]) -> None:
    """Tell of jobs that were taken from dead workers, once that is true in the database."""
    for job in rescued:
        _logger.warning(
            "job %s (%s) lost its worker %s and is %s", job.job_id, job.definition, job.worker_id, job.verdict
        )
        if not events.is_heard:
            continue
        state = JobState(job.verdict)
        events.tell(JobStalled(job_id=job.job_id, name=job.definition, worker_id=job.worker_id, state=state))
        if state.is_final:
            tell_ended(events, job.job_id, job.definition, state, reason=job.reason, worker_id=job.worker_id)
