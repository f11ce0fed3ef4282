"""The states of a job, and how it passes from one to the next."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class JobState(StrEnum):
    """Where a job stands. The last three are final."""

    SCHEDULED = "scheduled"
    """Not before its moment: a delay, or the wait before the next try."""
    QUEUED = "queued"
    """May run: waits for a worker, or for its group's turn."""
    BLOCKED = "blocked"
    """Waits for another job to end."""
    RUNNING = "running"
    """Claimed by a worker."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to the job any more, unless somebody retries it."""
        return self in FINAL_STATES


FINAL_STATES: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})

TRANSITIONS: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.SCHEDULED: frozenset({JobState.QUEUED, JobState.FAILED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.BLOCKED: frozenset({
        JobState.QUEUED, JobState.SCHEDULED, JobState.FAILED, JobState.CANCELLED,
    }),
    JobState.RUNNING: frozenset({
        JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.SCHEDULED, JobState.QUEUED,
    }),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}  # fmt: skip
"""Every step there is; out of a final state only by a retry, which begins the job's life anew.

docs/state-machine.md draws it; a test holds the two together.
"""


class FailureReason(StrEnum):
    """Why a job failed."""

    ERROR = "error"
    """Its work function raised, and no try was left, or that exception is not tried again."""
    STALLED = "stalled"
    """It lost its worker more often than it may."""
    TIMEOUT = "timeout"
    """It ran longer than it may, and no try was left."""
    EXHAUSTED = "exhausted"
    """Its errors and stalls together came to as many as it may have."""
    DEPENDENCY_FAILED = "dependency_failed"
    """A job that it waited for did not succeed."""
    EXPIRED = "expired"
    """No worker took it in time."""
    DECLARED = "declared"
    """Its work function said so, by Fail."""
    INVALID_PAYLOAD = "invalid_payload"
    """What was stored does not fit the definition."""
    INVALID_RESULT = "invalid_result"
    """What its work function returned cannot be stored."""
