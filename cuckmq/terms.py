"""The terms of a definition: its options, read once and checked, and what of them the database keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cuckmq.backoff import DEFAULT_BACKOFF_SECS, Backoff, check_backoff
from cuckmq.errors import DefinitionError
from cuckmq.limits import Limits, check_limits
from cuckmq.names import check_job_group, check_name
from cuckmq.options import (
    JOB_OPTIONS,
    MIN_EXPIRES_SECS,
    ExecutorName,
    RepeatingOptions,
    as_priority,
    as_uniqueness,
    unknown_options,
)
from cuckmq.payload_limit import as_payload_limit
from cuckmq.protocol.deploy import Deployment
from cuckmq.recurrence import (
    Missed,
    Overlap,
    Recurrence,
    check_missed,
    check_overlap,
    check_recurrence,
    first_slot,
)
from cuckmq.retry_rule import Exceptions, as_exceptions
from cuckmq.types import as_limit, as_optional_secs, as_secs
from cuckmq.uniqueness import Uniqueness

DEFAULT_CHANNEL: Final = "_default"
MIN_REPEAT_SECS: Final = 0.1
MIN_EXECUTION_TIMEOUT_SECS: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the jobs of a definition are treated. The attributes are those of the options, made sure of."""

    channel: str
    priority: int
    num_attempts: int
    num_stalls: int
    num_failures: int
    backoff: Backoff
    retry_on: Exceptions | None
    no_retry_on: Exceptions | None
    execution_timeout_secs: float | None
    persistent: bool
    executor: ExecutorName | None
    delay_secs: float
    repeat_secs: float | None
    cron: str | None
    timezone: str
    missed: Missed
    overlap: Overlap
    job_group: str | Callable[[Any], str | None] | None
    uniqueness: Uniqueness
    expires_secs: float | None
    keep_succeeded_secs: float | None
    keep_failed_secs: float | None
    limits: Limits | None
    max_payload_bytes: int | None
    describe: Callable[[Any], str] | None

    @property
    def is_repeating(self) -> bool:
        """Whether jobs are enqueued by themselves."""
        return self.repeat_secs is not None or self.cron is not None


def read_terms(name: str, options: RepeatingOptions) -> Terms:
    """Read the options of the definition of this name.

    Raises:
        DefinitionError: there is no such option.
        ConfigurationError: an option is out of range.
    """
    complaint = unknown_options(options, JOB_OPTIONS)
    if complaint is not None:
        raise DefinitionError(f"job {name!r}: {complaint}")
    job_group = options.get("job_group")
    persistent = _as_persistent(name, options)
    repeat_secs = as_optional_secs("repeat_secs", options.get("repeat_secs"), minimum=MIN_REPEAT_SECS)
    cron, timezone = options.get("cron"), options.get("timezone", "UTC")
    if check_recurrence(repeat_secs, cron, timezone) is None and (
        "missed" in options or "overlap" in options
    ):
        raise DefinitionError(f"job {name!r}: missed and overlap go with cron or repeat_secs; it has neither")
    return Terms(
        channel=check_name("channel", options.get("channel", DEFAULT_CHANNEL)),
        priority=as_priority(options.get("priority", 0)),
        num_attempts=as_limit(
            "num_attempts", options.get("num_attempts", None if persistent else 1), minimum=1
        ),
        num_stalls=as_limit("num_stalls", options.get("num_stalls", None if persistent else 3), minimum=0),
        num_failures=as_limit("num_failures", options.get("num_failures"), minimum=1),
        backoff=check_backoff(options.get("backoff", DEFAULT_BACKOFF_SECS)),
        retry_on=as_exceptions("retry_on", options.get("retry_on")),
        no_retry_on=as_exceptions("no_retry_on", options.get("no_retry_on")),
        execution_timeout_secs=_as_time_limit(options.get("execution_timeout_secs")),
        persistent=persistent,
        executor=_as_executor(name, options.get("executor")),
        delay_secs=as_secs("delay_secs", options.get("delay_secs", 0.0)),
        repeat_secs=repeat_secs,
        cron=cron,
        timezone=timezone,
        missed=check_missed(options.get("missed", "one")),
        overlap=check_overlap(options.get("overlap", "queue")),
        job_group=job_group if job_group is None or callable(job_group) else check_job_group(job_group),
        uniqueness=_as_whole(name, as_uniqueness(options)),
        expires_secs=as_optional_secs("expires_secs", options.get("expires_secs"), minimum=MIN_EXPIRES_SECS),
        keep_succeeded_secs=as_optional_secs("keep_succeeded_secs", options.get("keep_succeeded_secs")),
        keep_failed_secs=as_optional_secs("keep_failed_secs", options.get("keep_failed_secs")),
        limits=check_limits(options.get("limits")),
        max_payload_bytes=_as_optional_payload_limit(options.get("max_payload_bytes")),
        describe=options.get("describe"),
    )


def _as_whole(name: str, uniqueness: Uniqueness) -> Uniqueness:
    if uniqueness.key is None and uniqueness != Uniqueness():
        raise DefinitionError(
            f"job {name!r}: unique_scope, unique_for_secs and on_duplicate say how a unique_key is meant: "
            "give one"
        )
    return uniqueness


def _as_persistent(name: str, options: RepeatingOptions) -> bool:
    persistent = options.get("persistent", False)
    if not isinstance(persistent, bool):
        raise DefinitionError(f"job {name!r}: persistent is True or False, not {persistent!r}")
    if persistent and options.get("job_group") is not None:
        raise DefinitionError(
            f"job {name!r}: a persistent job would keep its job_group from all others for good; leave it out,"
            " and give a unique_key if there must be one such job only"
        )
    if persistent and options.get("execution_timeout_secs") is not None:
        raise DefinitionError(
            f"job {name!r}: a persistent job may run for ever; leave execution_timeout_secs out, and return"
            " from the work function to begin anew"
        )
    return persistent


def _as_executor(name: str, value: ExecutorName | None) -> ExecutorName | None:
    if value not in (None, "process"):
        raise DefinitionError(
            f'job {name!r}: executor is "process" or None, not {value!r}; without it an async function runs '
            "on the event loop, a sync one in a thread"
        )
    return value


def _as_optional_payload_limit(value: object) -> int | None:
    return None if value is None else as_payload_limit(value)


def _as_time_limit(value: object) -> float | None:
    return (
        None
        if value is None
        else as_secs("execution_timeout_secs", value, minimum=MIN_EXECUTION_TIMEOUT_SECS)
    )


def as_deployment(terms: Terms, job_group: str | None) -> Deployment:
    """Tell the database's part of the terms.

    Args:
        terms: of the definition.
        job_group: the group of every job, if it hangs on no payload.
    """
    return Deployment(
        channel=terms.channel,
        priority=terms.priority,
        delay_secs=terms.delay_secs,
        num_attempts=terms.num_attempts,
        num_stalls=terms.num_stalls,
        num_failures=terms.num_failures,
        repeat_secs=terms.repeat_secs,
        cron=terms.cron,
        timezone=terms.timezone,
        missed=terms.missed,
        overlap=terms.overlap,
        next_at=first_slot(Recurrence(terms.repeat_secs, terms.cron, terms.timezone)),
        job_group=job_group,
        unique_key=terms.uniqueness.fixed_key(),
        unique_scope=terms.uniqueness.scope,
        unique_for_secs=terms.uniqueness.for_secs,
        is_duplicate_refused=terms.uniqueness.on_duplicate == "raise",
        expires_secs=terms.expires_secs,
        keep_succeeded_secs=terms.keep_succeeded_secs,
        keep_failed_secs=terms.keep_failed_secs,
        limits=terms.limits,
    )
