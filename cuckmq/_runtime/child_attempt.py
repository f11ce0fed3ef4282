"""The attempt, as a work function in a process of its own sees it: it can be read, and tells when to stop."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from cuckmq.attempt import Attempt
from cuckmq.errors import ConfigurationError


class ChildAttempt(Attempt[object]):
    """A view. What ties an attempt to the database and to its worker's memory is not there.

    Args:
        facts: those that facts_of() told.
    """

    __slots__ = ()

    def __init__(self, facts: dict[str, Any]) -> None:
        read: dict[str, Any] = {**facts, "queued_at": datetime.fromisoformat(facts["queued_at"])}
        nowhere: Any = None
        super().__init__(**read, database=nowhere)

    @property
    def state(self) -> NoReturn:
        """Refused: it lives in the worker's memory."""
        raise ConfigurationError(
            "attempt.state belongs to the worker, and this job has executor='process': "
            "open what it needs in the module of the work function"
        )

    def transaction(self) -> NoReturn:
        """Refused: a transaction that commits with the job is the worker's."""
        raise ConfigurationError(
            "attempt.transaction() is not to be had with executor='process': return what is to be written "
            "and have a job without it write that; or write it idempotently, by attempt.job_id"
        )


def facts_of(attempt: Attempt[Any], num_attempts: int) -> dict[str, Any]:
    """Tell what a ChildAttempt is made of, as JSON."""
    return {
        "job_id": attempt.job_id,
        "name": attempt.name,
        "number": attempt.number,
        "job_group": attempt.job_group,
        "worker_id": attempt.worker_id,
        "error_count": attempt.error_count,
        "stall_count": attempt.stall_count,
        "num_attempts": num_attempts,
        "queued_at": attempt.queued_at.isoformat(),
    }
