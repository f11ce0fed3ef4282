"""What can happen, as values: one class for each thing, told after it is true in the database.

Handlers are given to `Context.add_event_handler` and hear of what this process does: its enqueues, its
workers, its orchestrators. A handler that raises is logged and changes nothing.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from cuckmq.limits import Limits
from cuckmq.state import JobState

_logger = logging.getLogger("cuckmq.events")


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
class JobFailed(JobEvent):
    """A job has failed for good."""

    reason: str


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


EventHandler: TypeAlias = Callable[[Event], Awaitable[None] | None]


class EventHub:
    """Tells events to handlers, and lets no handler do harm.

    Events are told where they become known, which may be a thread or a script without an event loop.
    Async handlers told there run on the loop on which handlers were added or told last, since what
    they use lives there; where there never was one, they are run to their end on the spot.
    """

    def __init__(self) -> None:
        self._handlers: list[EventHandler] = []
        self._tasks: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_heard(self) -> bool:
        """Whether anyone listens. Where not, the hot path makes no events at all."""
        return bool(self._handlers)

    def add(self, handler: EventHandler) -> Callable[[], None]:
        """Add a handler, sync or async. Returns a function that removes it again."""
        self._handlers.append(handler)
        self._loop = _running_loop() or self._loop
        is_there = True

        def remove() -> None:
            nonlocal is_there
            if is_there:
                self._handlers.remove(handler)
                is_there = False

        return remove

    def tell(self, event: Event) -> None:
        """Call every handler. Async ones go on by themselves; whatever one raises is logged."""
        for handler in tuple(self._handlers):
            try:
                pending = handler(event)
                if inspect.isawaitable(pending):
                    self._follow(pending, event)
            except BaseException:
                _logger.exception("an event handler failed on %s", type(event).__name__)

    def _follow(self, pending: Awaitable[None], event: Event) -> None:
        here = _running_loop()
        self._loop = here or self._loop
        if here is not None:
            self._begin(pending, event)
        elif self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._begin, pending, event)
        else:
            asyncio.run(_finish(pending, event))

    def _begin(self, pending: Awaitable[None], event: Event) -> None:
        task = asyncio.ensure_future(_finish(pending, event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _finish(pending: Awaitable[None], event: Event) -> None:
    try:
        await pending
    except Exception:
        _logger.exception("an event handler failed on %s", type(event).__name__)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
