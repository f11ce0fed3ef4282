"""Tells what became of jobs that lost their worker: in the log, and as events."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from cuckmq.events import EventHub, JobFailed
from cuckmq.protocol.workers import Rescued

_logger = logging.getLogger("cuckmq.rescuer")


def tell_rescued(events: EventHub, rescued: Iterable[Rescued]) -> None:
    """Tell of jobs that were taken from dead workers, once that is true in the database."""
    for job in rescued:
        _logger.warning(
            "job %s (%s) lost its worker %s and is %s", job.job_id, job.definition, job.worker_id, job.verdict
        )
        if job.reason is not None:
            events.tell(JobFailed(job_id=job.job_id, name=job.definition, reason=job.reason))
