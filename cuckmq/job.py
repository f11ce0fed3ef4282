"""A job as it was found: a value, true at the moment it was read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cuckmq.protocol.inspect import JobRow
from cuckmq.state import JobState
from cuckmq.types import UNLIMITED


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptError:
    """What went wrong in one attempt.

    Attributes:
        attempt: which one.
        type: the exception's class, or the verdict's.
        message: what it said, cut at 2,000 characters.
        traceback: where, cut at 8,000 characters.
        at: when, by the worker's clock, as ISO 8601.
    """

    attempt: int
    type: str
    message: str
    traceback: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job with all that is known of it.

    Attributes:
        id: the job's id.
        name: of its definition.
        channel: where it was put.
        priority: higher goes first.
        job_group: the group in which it runs alone, or None.
        state: where it stands.
        reason: why it failed, if it did.
        attempt: the number of the run that is under way, or of the last; 0 before the first. Runs that
            were snoozed or given back have numbers too, though they count as no try.
        error_count: attempts that ended in an error.
        stall_count: attempts that lost their worker.
        num_attempts: how many errors end it; None for no limit.
        num_stalls: how many lost workers it survives; None for no limit.
        num_failures: how many errors and stalls together end it; None for no limit.
        created_at: when it was enqueued.
        queued_at: when it may run, or might: its moment, and its place in line.
        started_at: when its last attempt was claimed.
        finalized_at: when it ended.
        worker_id: who runs it, or ran it last.
        is_cancel_requested: whether its worker was asked to stop it.
        payload: as plain JSON values; None for a role that may read no payloads, as are result and notes.
        result: as plain JSON values; None unless it succeeded.
        errors: one for each attempt that went wrong, oldest first.
        progress: how far it is by its own word, from 0 to 1; None if it never said.
        progress_message: what it said with that.
        notes: what its attempts have noted; see Attempt.update.
    """

    id: int
    name: str
    channel: str
    priority: int
    job_group: str | None
    state: JobState
    reason: str | None
    attempt: int
    error_count: int
    stall_count: int
    num_attempts: int | None
    num_stalls: int | None
    num_failures: int | None
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finalized_at: datetime | None
    worker_id: int | None
    is_cancel_requested: bool
    payload: Any
    result: Any
    errors: tuple[AttemptError, ...]
    progress: float | None
    progress_message: str | None
    notes: dict[str, Any]


def job_from_row(row: JobRow) -> Job:
    """Read a job from the database's view of it."""
    return Job(
        id=row.id,
        name=row.definition,
        channel=row.channel,
        priority=row.priority,
        job_group=row.job_group,
        state=JobState(row.state),
        reason=row.reason,
        attempt=row.attempt,
        error_count=row.error_count,
        stall_count=row.stall_count,
        num_attempts=None if row.num_attempts == UNLIMITED else row.num_attempts,
        num_failures=None if row.num_failures == UNLIMITED else row.num_failures,
        num_stalls=None if row.num_stalls == UNLIMITED else row.num_stalls,
        created_at=row.created_at,
        queued_at=row.run_at,
        started_at=row.claimed_at,
        finalized_at=row.finalized_at,
        worker_id=row.worker_id,
        is_cancel_requested=row.is_cancel_requested,
        payload=_loads(row.payload),
        result=None if row.result is None else json.loads(row.result),
        errors=tuple(error_from_record(record) for record in row.errors or ()),
        progress=row.progress,
        progress_message=row.progress_message,
        notes=row.notes or {},
    )


def error_from_record(record: dict[str, Any]) -> AttemptError:
    """Read an error record, leniently: anyone may have written it."""
    return AttemptError(
        attempt=int(record.get("attempt", 0)),
        type=str(record.get("type", "")),
        message=str(record.get("message", "")),
        traceback=str(record.get("traceback", "")),
        at=str(record.get("at", "")),
    )


def _loads(text: str | None) -> Any:
    """Read a payload for display; one that Python cannot read (too deep, too long) is shown as text."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return text
