"""What is told to the queue of an attempt: from its payload to its outcome.

Pure but for the log. Whoever runs jobs comes here: the executor, and those who pull them by hand.
"""

from __future__ import annotations

from typing import Any

from cuckmq._runtime.answers import Refused, Written
from cuckmq._runtime.record import error_record, message_of, traceback_of
from cuckmq._runtime.running import Ended
from cuckmq._runtime.time_limit import TIMED_OUT
from cuckmq.attempt import Attempt
from cuckmq.backoff import backoff_secs
from cuckmq.definition import JobDefinition
from cuckmq.log import get_log
from cuckmq.outcome import Cancel, Fail, Outcome, Retry, Snooze
from cuckmq.payload import CodecError
from cuckmq.retry_rule import may_retry
from cuckmq.state import FailureReason

_logger = get_log("cuckmq.worker")

Definition = JobDefinition[Any, Any]


def decode(definition: Definition, payload: str) -> Any:
    """Read a payload.

    Raises:
        Refused: it does not fit.
    """
    try:
        return definition.payload_codec.decode(payload)
    except CodecError as error:
        raise Refused(FailureReason.INVALID_PAYLOAD, str(error)) from None


def conclude_expired(attempt: Attempt) -> Ended:
    """End an attempt that came too late to begin."""
    reason = FailureReason.EXPIRED
    outcome = Outcome(attempt.job_id, attempt.number, "failed", reason)
    return Ended(attempt, outcome, 0.0, Refused(reason, "it was not started in time"))


def conclude_value(definition: Definition, attempt: Attempt, value: Any) -> Outcome:
    """Tell of an attempt that came to a result; of a persistent job it is no end.

    Raises:
        Refused: the result cannot be written.
    """
    if definition.terms.persistent:
        wait_secs = _wait_secs(definition, 1)
        return Outcome(attempt.job_id, attempt.number, "snoozed", None, None, wait_secs)
    detail = value.text if isinstance(value, Written) else _encode(definition, value)
    return Outcome(attempt.job_id, attempt.number, "succeeded", None, detail)


def conclude_error(
    definition: Definition, attempt: Attempt, error: BaseException, run_secs: float
) -> Outcome:
    """Tell of an attempt that raised, or said a verdict, after running for so long."""
    job_id, number = attempt.job_id, attempt.number
    match error:
        case Snooze():
            return Outcome(job_id, number, "snoozed", None, None, error.delay_secs)
        case Retry():
            return _error(definition, attempt, error, error.after_secs)
        case Cancel():
            return Outcome(job_id, number, "cancelled", None, _record(definition, attempt, error))
        case Fail():
            return Outcome(
                job_id, number, "failed", FailureReason.DECLARED, _record(definition, attempt, error)
            )
        case Refused():
            return Outcome(job_id, number, "failed", error.reason, _record(definition, attempt, error))
        case _:
            return _retry(definition, attempt, error, run_secs)


def _retry(definition: Definition, attempt: Attempt, error: BaseException, run_secs: float) -> Outcome:
    said = message_of(error, definition.redaction.of(attempt.name))[:200]
    _logger.warning(
        "job %s (%s) attempt %s raised %s: %s",
        attempt.job_id, attempt.name, attempt.number, type(error).__qualname__, said,
    )  # fmt: skip
    if not may_retry(error, definition.terms.retry_on, definition.terms.no_retry_on):
        return _error(definition, attempt, error, None)
    delay_secs = _wait_secs(definition, attempt.error_count + 1)
    if definition.terms.persistent and run_secs > delay_secs:
        # It ran well meanwhile: errors of last month are no reason to wait for long.
        delay_secs = min(delay_secs, _wait_secs(definition, 1))
    return _error(definition, attempt, error, delay_secs)


def _error(
    definition: Definition, attempt: Attempt, error: BaseException, delay_secs: float | None
) -> Outcome:
    reason = FailureReason.TIMEOUT if attempt.ending == TIMED_OUT else FailureReason.ERROR
    record = _record(definition, attempt, error)
    return Outcome(attempt.job_id, attempt.number, "error", reason, record, delay_secs)


def complain(definition: Definition, what: str, error: BaseException) -> None:
    """Log that something failed beside the work function, with no more than may be told.

    Not by `exc_info`: a log would add the job's own error, upon which this one happened.
    """
    _logger.error("%s\n%s", what, traceback_of(error, definition.redaction.of(definition.name)))


def _record(definition: Definition, attempt: Attempt, error: BaseException) -> str:
    return error_record(error, attempt.number, definition.redaction.of(attempt.name))


def _wait_secs(definition: Definition, num_errors: int) -> float:
    try:
        return backoff_secs(definition.terms.backoff, num_errors)
    except Exception as error:  # noqa: BLE001 - complained of
        complain(definition, f"the backoff of job {definition.name} cannot be told; it waits 60 s", error)
        return 60.0


def _encode(definition: Definition, value: Any) -> str:
    try:
        return definition.result_codec.encode(value)
    except CodecError as error:
        raise Refused(FailureReason.INVALID_RESULT, str(error)) from None
