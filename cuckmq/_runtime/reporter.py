"""Tells what an exchange has made true: as events, and in the log."""

from __future__ import annotations

from typing import Any

from cuckmq._runtime.record import message_of
from cuckmq._runtime.running import Ended
from cuckmq.context import Context
from cuckmq.ended import tell_ended
from cuckmq.events import (
    AttemptFailed,
    AttemptLost,
    AttemptSucceeded,
    GroupDeleted,
    JobClaimed,
)
from cuckmq.log import get_log
from cuckmq.protocol.exchange import Row, verdicts_of
from cuckmq.state import FailureReason, JobState

_logger = get_log("cuckmq.worker")


class Reporter:
    """Turns the answer to an exchange into events; into nothing, when nobody listens."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def report(
        self,
        ended: list[Ended],
        groups: dict[int, str],
        answered: list[Row],
        claimed: list[Row],
        worker_id: int,
    ) -> None:
        """Report attempts that ended, groups that emptied, and jobs that were claimed.

        Args:
            ended: what was told to the queue.
            groups: that were released, by hash.
            answered: what the queue had to say of them: rows with a verdict.
            claimed: rows without one.
            worker_id: who claimed them.
        """
        verdicts = verdicts_of(answered)
        for each in ended:
            verdict = verdicts.get(each.attempt.job_id)
            if verdict == "lost" or each.attempt.ending == "lost":
                _logger.warning(
                    "job %s was lost to another worker; its outcome is dropped", each.attempt.job_id
                )
        if not self._context.events.is_heard:
            return
        for each in ended:
            self._report_ended(each, verdicts.get(each.attempt.job_id))
        for row in answered:
            if row.verdict == "emptied" and row.job_id in groups:
                self._context.events.tell(GroupDeleted(job_group=groups[row.job_id]))
            elif row.verdict == "dependency_failed":
                reason, name = FailureReason.DEPENDENCY_FAILED, row.job_group or ""
                tell_ended(self._context.events, row.job_id, name, JobState.FAILED, reason=reason)
        self._report_claimed(claimed, worker_id)

    def _report_ended(self, ended: Ended, verdict: str | None) -> None:
        tell, attempt = self._context.events.tell, ended.attempt
        about: dict[str, Any] = {
            "job_id": attempt.job_id,
            "name": attempt.name,
            "attempt": attempt.number,
            "worker_id": attempt.worker_id,
        }
        if verdict == "lost" or attempt.ending == "lost":
            tell(AttemptLost(**about))
        elif verdict == "cancelled":
            self._tell_ended(ended, JobState.CANCELLED)
        elif ended.error is None and attempt.ending is None:
            tell(AttemptSucceeded(**about, duration_secs=ended.duration_secs))
            self._tell_ended(ended, JobState.SUCCEEDED)
        elif (
            verdict in ("failed", "exhausted", "scheduled")
            and ended.outcome is not None
            and ended.error is not None
        ):
            if ended.outcome.kind != "snoozed" and ended.outcome.reason != FailureReason.EXPIRED:
                tell(
                    AttemptFailed(
                        **about,
                        duration_secs=ended.duration_secs,
                        error_type=type(ended.error).__qualname__,
                        error=message_of(ended.error, self._context.redaction.of(attempt.name)),
                        state=JobState.SCHEDULED if verdict == "scheduled" else JobState.FAILED,
                    )
                )
            if verdict != "scheduled":
                reason = verdict if verdict == "exhausted" else ended.outcome.reason or "error"
                self._tell_ended(ended, JobState.FAILED, reason)

    def _tell_ended(self, ended: Ended, state: JobState, reason: str | None = None) -> None:
        tell_ended(
            self._context.events,
            ended.attempt.job_id,
            ended.attempt.name,
            state,
            reason=reason,
            worker_id=ended.attempt.worker_id,
            duration_secs=ended.duration_secs,
        )

    def _report_claimed(self, claimed: list[Row], worker_id: int) -> None:
        for row in claimed:
            self._context.events.tell(
                JobClaimed(
                    job_id=row.job_id,
                    name=self._context.known[row.definition_id].name,
                    attempt=row.attempt,
                    worker_id=worker_id,
                    job_group=row.job_group,
                )
            )
