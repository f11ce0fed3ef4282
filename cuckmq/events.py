"""What can happen, as values: one class for each thing, told after it is true in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cuckmq.limits import Limits
from cuckmq.state import JobState


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened.

    Attributes:
        at: when this process learned of it, by its own clock.
    """

    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionDeployed(Event):
    """A job definition is known to the database, or known anew."""

    name: str
    definition_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent(Event):
    """Something happened to one job."""

    job_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnqueued(JobEvent):
    """A job was put in. Not told of one put in within a transaction of the caller's, which may not commit."""

    job_group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeduplicated(JobEvent):
    """A job was not put in because another, this one, holds its key. Where JobEnqueued would be told."""

    unique_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEvent(JobEvent):
    """Something happened to an attempt of a job."""

    attempt: int
    worker_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClaimed(AttemptEvent):
    """A worker has taken a job."""

    job_group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(AttemptEvent):
    """A worker is about to call the work function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSucceeded(AttemptEvent):
    """The work function has returned, and the job is finalized as succeeded."""

    duration_secs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(AttemptEvent):
    """An attempt came to an error. `state` tells what became of the job: `scheduled` or `failed`."""

    duration_secs: float
    error_type: str
    error: str
    state: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost(AttemptEvent):
    """An attempt ended after its job had been given to another worker. Its outcome was dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgressed(AttemptEvent):
    """A job has said how far it is: a fraction from 0 to 1, and words, if any came with it."""

    fraction: float
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdated(AttemptEvent):
    """A job has made notes, under these keys."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed(JobEvent):
    """A job has failed for good."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled(JobEvent):
    """A job is cancelled: before it started, or since its attempt was stopped or said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded(JobEvent):
    """A job has ended for good, however. Told after what tells more.

    The last three are None where there are none: why it failed, the worker and the time of its last attempt.
    """

    state: JobState
    reason: str | None = None
    worker_id: int | None = None
    duration_secs: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStalled(JobEvent):
    """A job was taken from a worker that was lost. It is `queued` again, or `failed` or `cancelled`."""

    worker_id: int
    state: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrphaned(JobEvent):
    """A job waits in a channel of this worker, which does not know its definition."""

    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeleted(Event):
    """A finalized job was deleted because of its age."""

    job_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDeleted(Event):
    """Nobody stands in a job group's line any more, and nothing is left of the group."""

    job_group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTicked(Event):
    """A repeating job was enqueued for one of its moments."""

    name: str
    job_id: int
    slot_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOrphaned(Event):
    """A repeating job is due, and this orchestrator does not know its definition."""

    name: str
    slot_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPaused(Event):
    """This process has paused a channel: nobody claims from it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelResumed(Event):
    """This process has resumed a channel."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLimited(Event):
    """This process has set the limits of a channel."""

    name: str
    limits: Limits
    max_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionLimited(Event):
    """This process has set the limits of a definition, other than by deploying it."""

    name: str
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEvent(Event):
    """Something happened to a worker."""

    worker_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted(WorkerEvent):
    """A worker is ready; also one that goes on under a new id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPaused(WorkerEvent):
    """A worker claims nothing more until it is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResumed(WorkerEvent):
    """A worker that was paused claims again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStopped(WorkerEvent):
    """A worker has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost(WorkerEvent):
    """A worker was taken for dead. Told by who finds it so, and by the worker itself, should it live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorStarted(Event):
    """An orchestrator is at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorStopped(Event):
    """An orchestrator has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdle(WorkerEvent):
    """A worker has had nothing in hand for a while, and its last look brought nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDeleted(WorkerEvent):
    """A channel that a worker serves was destroyed. The worker goes on, should the channel come back."""

    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRunning(Event):
    """These jobs run, the longest first, each with the seconds since its claim. Up to 100 of them."""

    ages_secs: Mapping[int, float]
