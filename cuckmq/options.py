"""What may be said about jobs: for all jobs of a definition, and for one enqueue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from typing_extensions import TypedDict

from cuckmq.backoff import Backoff
from cuckmq.errors import ConfigurationError
from cuckmq.limits import Limits
from cuckmq.names import check_name
from cuckmq.needs import OnDependencyFailure, Prerequisite, as_needs, as_on_dependency_failure
from cuckmq.protocol.enqueue import AS_DEFINED, Placement
from cuckmq.recurrence import Missed, Overlap
from cuckmq.retry_rule import Exceptions
from cuckmq.types import Secs, as_count, as_moment, as_optional_secs, as_secs
from cuckmq.uniqueness import (
    NOTHING_SAID,
    OnDuplicate,
    UniqueKey,
    Uniqueness,
    UniqueScope,
    read_uniqueness,
)

ExecutorName: TypeAlias = Literal["process"]
"""Where a work function may be told to run."""

MIN_EXPIRES_SECS: Final = 0.001


class JobOptions(TypedDict, total=False):
    """How the jobs of a definition are treated.

    Attributes:
        channel: the lane they go into, from which workers select.
        priority: higher goes first within a channel; -32768 to 32767.
        num_attempts: how many tries may end in an error before the job has failed; None for no limit.
        backoff: the wait before the next try: seconds, a timedelta, a strategy such as Exponential, or a
            function from the number of errors so far to seconds or a timedelta.
        retry_on: exception classes that may be tried again, all others may not; None for all.
        no_retry_on: exception classes that fail a job at once, whatever tries are left.
        num_stalls: how many lost workers a job survives; None for no limit.
        num_failures: how many tries may go wrong in all, in an error or by a lost worker, before the job has
            failed; None for no limit. 1 means that a job is never run again after something went wrong.
        execution_timeout_secs: how long one try may run; None for no limit. Then an async function is
            cancelled, a sync one is told by attempt.is_cancelled, and the try has ended in an error.
        persistent: the job never ends by itself: whenever a run of it returns or raises, it runs again after
            its backoff, and the worker hands it over when it stops. num_attempts and num_stalls are then
            without limit unless they are given.
        executor: `process` to run a sync function in a process of its own, for work that keeps the processor
            busy or might crash. None, the default, for the event loop or a thread, as the function is.
        delay_secs: how long each job waits before it may run.
        job_group: the group in which a job runs alone: a name, or a function from the payload to a
            name or None.
        unique_key: the key under which no second job is put in: a name, or a function from the payload to a
            name or None.
        unique_scope: how long a job holds its key: until it starts (`queued`), until it ends (`live`, the
            default), as long as it is known (`kept`), or `for` a time.
        unique_for_secs: that time, from the enqueue on.
        on_duplicate: `return` the job that holds the key (the default), or `raise` DuplicateJob.
        expires_secs: how long after the moment from which it may run a job may wait for a worker; then it
            fails as `expired`.
        keep_succeeded_secs: how long a job that succeeded is kept; 0 to remove it at once. None, which is
            the default, for what the context says (job_post_finalize_delete_secs).
        keep_failed_secs: the same for a job that failed or was cancelled.
        limits: how many of its jobs may run at once, and how many may be taken within a span of time, over
            all workers and channels.
        max_payload_bytes: how many bytes a payload may take, written as JSON. None, which is the default, for
            what the context says.
        describe: what debug log lines say of a payload; without it they say nothing of payloads.
    """

    channel: str
    priority: int
    num_attempts: int | None
    backoff: Backoff
    retry_on: Exceptions | None
    no_retry_on: Exceptions | None
    num_stalls: int | None
    num_failures: int | None
    execution_timeout_secs: Secs | None
    persistent: bool
    executor: ExecutorName | None
    delay_secs: Secs
    job_group: str | Callable[[Any], str | None] | None
    unique_key: UniqueKey | None
    unique_scope: UniqueScope | None
    unique_for_secs: Secs | None
    on_duplicate: OnDuplicate | None
    expires_secs: Secs | None
    keep_succeeded_secs: Secs | None
    keep_failed_secs: Secs | None
    limits: Limits | None
    max_payload_bytes: int | None
    describe: Callable[[Any], str]


class RepeatingOptions(JobOptions, total=False):
    """How a definition repeats, beside all else. Its jobs have no payload, since nobody is there to give one.

    Attributes:
        repeat_secs: enqueue a job by itself each so many seconds.
        cron: or at the moments of this expression: minute, hour, day, month and weekday.
        timezone: on whose clock the expression is read.
        missed: what becomes of moments that came while no orchestrator lived: `one` job for all,
            `skip` them, or make up for `all`, the latest 100 at most.
        overlap: what becomes of a moment while the job of the one before is live: `queue` its job all
            the same, `skip` it, or `replace` the live one, which is cancelled.
    """

    repeat_secs: Secs | None
    cron: str | None
    timezone: str
    missed: Missed
    overlap: Overlap


class EnqueueOptions(TypedDict, total=False):
    """How the jobs of one enqueue are treated. What is left out, or None, is as the definition says.

    Attributes:
        delay_secs: run them so much later.
        run_at: run them from that moment on; a datetime with a time zone.
        job_group: run them alone among the jobs of this group, of all definitions and channels.
        channel: put them there.
        priority: higher goes first within a channel; -32768 to 32767.
        num_attempts: how many tries may end in an error; cuckmq.types.UNLIMITED for no limit.
        num_stalls: how many lost workers each survives; likewise.
        num_failures: how many tries of each may go wrong in all; likewise.
        unique_key: put in none while another holds this key: a name, or a function from the payload to a
            name or None.
        unique_scope: how long each holds its key: `queued`, `live`, `kept` or `for`.
        unique_for_secs: the time of scope `for`, from the enqueue on.
        on_duplicate: `return` the job that holds the key, or `raise` DuplicateJob.
        expires_secs: fail those that no worker has taken so long after they might run.
        expires_at: fail those that no worker has taken by then; a datetime with a time zone.
        after: put them in now, and have them wait until these jobs have ended: a handle, an id, or several.
        on_dependency_failure: what becomes of them if one of those does not succeed: they `fail` (the
            default), they are to `cancel`, or they `run` all the same.
        wait_secs: wait so long for room in a channel of bounded size, instead of being refused at once.
    """

    delay_secs: Secs | None
    run_at: datetime | None
    job_group: str | None
    channel: str | None
    priority: int | None
    num_attempts: int | None
    num_stalls: int | None
    num_failures: int | None
    unique_key: UniqueKey | None
    unique_scope: UniqueScope | None
    unique_for_secs: Secs | None
    on_duplicate: OnDuplicate | None
    expires_secs: Secs | None
    expires_at: datetime | None
    after: Prerequisite | Iterable[Prerequisite] | None
    on_dependency_failure: OnDependencyFailure | None
    wait_secs: Secs | None


JOB_OPTIONS: Final = frozenset({*JobOptions.__annotations__, *RepeatingOptions.__annotations__})
ENQUEUE_OPTIONS: Final = frozenset(EnqueueOptions.__annotations__)


def unknown_options(given: Iterable[str], known: frozenset[str]) -> str | None:
    """Say which of the options given there are not; None when all are known."""
    unknown = sorted(set(given) - known)
    return f"unknown option {', '.join(unknown)}; there are {', '.join(sorted(known))}" if unknown else None


def as_placement(options: EnqueueOptions) -> Placement:
    """Check where and when jobs are to be put.

    Raises:
        ConfigurationError: an option is unknown or out of range, or two contradict each other.
    """
    if not options:
        return AS_DEFINED
    complaint = unknown_options(options, ENQUEUE_OPTIONS)
    if complaint is not None:
        raise ConfigurationError(f"enqueue: {complaint}")
    delay_secs, run_at = options.get("delay_secs"), options.get("run_at")
    if delay_secs is not None and run_at is not None:
        raise ConfigurationError("give delay_secs or run_at, not both")
    channel, priority = options.get("channel"), options.get("priority")
    num_attempts, num_stalls = options.get("num_attempts"), options.get("num_stalls")
    num_failures = options.get("num_failures")
    expires_secs, expires_at = options.get("expires_secs"), options.get("expires_at")
    if expires_secs is not None and expires_at is not None:
        raise ConfigurationError("give expires_secs or expires_at, not both")
    return Placement(
        delay_secs=None if delay_secs is None else as_secs("delay_secs", delay_secs),
        run_at=None if run_at is None else as_moment("run_at", run_at),
        channel=None if channel is None else check_name("channel", channel),
        priority=None if priority is None else as_priority(priority),
        num_attempts=None if num_attempts is None else as_count("num_attempts", num_attempts, minimum=1),
        num_stalls=None if num_stalls is None else as_count("num_stalls", num_stalls, minimum=0),
        num_failures=None if num_failures is None else as_count("num_failures", num_failures, minimum=1),
        expires_secs=as_optional_secs("expires_secs", expires_secs, minimum=MIN_EXPIRES_SECS),
        expires_at=None if expires_at is None else as_moment("expires_at", expires_at),
        needs_ids=as_needs(options.get("after")),
        on_dependency_failure=as_on_dependency_failure(options.get("on_dependency_failure")),
    )


def as_uniqueness(options: JobOptions | EnqueueOptions) -> Uniqueness:
    """Check what is said of unique keys.

    Raises:
        ConfigurationError: one of them is no such thing, or two do not go together.
    """
    if not options:
        return NOTHING_SAID
    return read_uniqueness(
        unique_key=options.get("unique_key"),
        unique_scope=options.get("unique_scope"),
        unique_for_secs=options.get("unique_for_secs"),
        on_duplicate=options.get("on_duplicate"),
    )


def as_priority(priority: object) -> int:
    """Check a priority.

    Raises:
        ConfigurationError: not a whole number that fits 16 bits.
    """
    return as_count("priority", priority, minimum=-32768, maximum=32767)
