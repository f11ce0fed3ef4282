"""How an attempt ends: what a work function may say, and what the machinery tells the queue.

A work function ends by returning its result or by raising. To say something else it returns, or
raises, one of the verdicts here::

    return Snooze(60)             # again in a minute; no try is used up
    return Retry(60)              # an error: again in a minute if a try is left
    return Cancel("no longer wanted")
    return Fail("card declined")  # failed, whatever tries are left

Verdicts are exceptions so that they can be raised from deep inside; returning them is the same.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, TypeVar

from cuckmq.types import Secs, as_secs

ResultT = TypeVar("ResultT")


class Verdict(Exception):
    """What a work function may say in place of a result."""


class Snooze(Verdict):
    """Run this job again later. It counts neither as a try nor as an error.

    Args:
        delay_secs: how long to wait.
    """

    def __init__(self, delay_secs: Secs) -> None:
        self.delay_secs = as_secs("Snooze", delay_secs)
        super().__init__(f"snoozed for {self.delay_secs:g} s")


class Retry(Verdict):
    """End this try as an error, with a wait of its own in place of the backoff.

    It counts as a try: if none is left, the job has failed.

    Args:
        after_secs: how long to wait before the next try.
        reason: kept with the job, for people.
    """

    def __init__(self, after_secs: Secs, reason: str = "") -> None:
        self.after_secs = as_secs("Retry", after_secs)
        self.reason = reason
        super().__init__(reason or f"to be tried again after {self.after_secs:g} s")


class Cancel(Verdict):
    """End this job as cancelled.

    Args:
        reason: kept with the job, for people.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason)


class Fail(Verdict):
    """End this job as failed, whatever tries are left.

    Args:
        reason: kept with the job, for people.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason)


Answer: TypeAlias = ResultT | Snooze | Retry | Cancel | Fail
"""What a work function may return. Written out, since type checkers take exactly these off a union."""

OutcomeKind: TypeAlias = Literal["succeeded", "error", "failed", "cancelled", "snoozed"]


class Outcome(NamedTuple):
    """What became of one attempt, in the words of settle().

    Attributes:
        job_id: the job.
        attempt: which attempt of it; with the worker's id it is the fence.
        kind: what the attempt came to.
        reason: the reason code, should the job fail.
        detail: the result, or an error record, as JSON text.
        delay_secs: the wait before the next run, for `error` and `snoozed`; an `error` without one fails the
            job whatever tries are left.
    """

    job_id: int
    attempt: int
    kind: OutcomeKind
    reason: str | None = None
    detail: str | None = None
    delay_secs: float | None = None
