"""One attempt, from claimed row to outcome: read it as a list of verbs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cuckmq._runtime.answers import Refused, Written
from cuckmq._runtime.desk import Desk, Ended, Running
from cuckmq._runtime.isolation import Isolated
from cuckmq._runtime.own_state import OwnState
from cuckmq._runtime.processes import Processes
from cuckmq._runtime.record import error_record, message_of
from cuckmq._runtime.scribe import Scribe
from cuckmq._runtime.threads import Threads
from cuckmq._runtime.time_limit import TIMED_OUT, TimeLimit
from cuckmq.attempt import Attempt
from cuckmq.backoff import backoff_secs
from cuckmq.context import Context
from cuckmq.definition import JobDefinition
from cuckmq.errors import AttemptLost
from cuckmq.events import AttemptStarted
from cuckmq.outcome import Cancel, Fail, Outcome, Retry, Snooze, Verdict
from cuckmq.payload import CodecError
from cuckmq.protocol.exchange import Row
from cuckmq.retry_rule import may_retry
from cuckmq.state import FailureReason

_logger = logging.getLogger("cuckmq.worker")

Definition = JobDefinition[Any, Any]


class Executor:
    """Runs attempts and lays their ends on the desk. It lets no exception out.

    Args:
        context: whose definitions to run.
        desk: where ends are laid down.
        threads: where sync work functions run.
        processes: where those run that are to have a process.
        state: what the worker has set up for them.
        scribe: writes what they say of themselves.
        worker_id: asked each time, since a worker that was lost gets a new one.
    """

    def __init__(
        self,
        context: Context,
        desk: Desk,
        *,
        threads: Threads,
        processes: Processes,
        state: OwnState,
        scribe: Scribe,
        worker_id: Callable[[], int],
    ) -> None:
        self._context = context
        self._desk = desk
        self._threads = threads
        self._processes = processes
        self._state = state
        self._scribe = scribe
        self._worker_id = worker_id
        self._limit = TimeLimit(desk)

    async def run(self, row: Row, definition: Definition) -> None:
        """Run one claimed job to its end."""
        attempt = self._make_attempt(row, definition)
        if row.payload is None:
            self._desk.finish(_expired(attempt))
            return
        began_at = time.monotonic()
        error: BaseException | None
        self._record_start(attempt, definition)
        try:
            payload = self._decode(definition, row.payload)
            self._describe(definition, attempt, payload)
            if self._context.plugins.surrounds_attempts:
                value = await Isolated(self._call_surrounded(definition, payload, attempt, row))
            else:
                value = await self._call(definition, payload, attempt, row)
            if attempt.has_spoken:
                await self._scribe.write_last(attempt)
            outcome = await self._conclude(definition, attempt, value)
            error = value if isinstance(value, Verdict) else None
        except BaseException as caught:  # noqa: BLE001 - whatever user code raises ends its job and nothing else
            if attempt.has_spoken:
                await self._scribe.write_last(attempt)
            outcome, error = await self._conclude_error(definition, attempt, caught), caught
        self._desk.finish(Ended(attempt, outcome, time.monotonic() - began_at, error))
        if attempt.ending == TIMED_OUT:
            await self._limit.see_off(attempt)

    def _decode(self, definition: Definition, payload: str) -> Any:
        try:
            return definition.payload_codec.decode(payload)
        except CodecError as error:
            raise Refused(FailureReason.INVALID_PAYLOAD, str(error)) from None

    def _describe(self, definition: Definition, attempt: Attempt, payload: Any) -> None:
        if _logger.isEnabledFor(logging.DEBUG):
            try:
                described = (
                    "" if definition.terms.describe is None else f": {definition.terms.describe(payload)}"
                )
            except Exception:
                _logger.exception("the payload of job %s cannot be described", attempt.job_id)
                described = ""
            _logger.debug(
                "job %s (%s) attempt %s starts%s", attempt.job_id, attempt.name, attempt.number, described
            )

    def _encode(self, definition: Definition, value: Any) -> str:
        try:
            return definition.result_codec.encode(value)
        except CodecError as error:
            raise Refused(FailureReason.INVALID_RESULT, str(error)) from None

    def _make_attempt(self, row: Row, definition: Definition) -> Attempt:
        return Attempt(
            job_id=row.job_id,
            name=definition.name,
            number=row.attempt,
            job_group=row.job_group,
            worker_id=self._worker_id(),
            error_count=row.error_count,
            stall_count=row.stall_count,
            num_attempts=row.num_attempts,
            queued_at=row.run_at,
            database=self._context.database,
            scribe=self._scribe,
            state=self._state.value,
        )

    def _record_start(self, attempt: Attempt, definition: Definition) -> None:
        can_cancel = definition.signature.is_async or definition.target is not None
        task = asyncio.current_task() if can_cancel else None
        self._desk.start(Running(attempt, task))
        if self._context.events.is_heard:
            self._context.events.tell(
                AttemptStarted(
                    job_id=attempt.job_id,
                    name=attempt.name,
                    attempt=attempt.number,
                    worker_id=attempt.worker_id,
                )
            )

    async def _call(self, definition: Definition, payload: Any, attempt: Attempt, row: Row) -> Any:
        arguments = (payload, attempt)[: definition.signature.num_arguments]
        limit_secs = definition.terms.execution_timeout_secs
        call: Awaitable[Any]
        if definition.signature.is_async:
            call = Isolated(definition.work_function(*arguments))
            return await (call if limit_secs is None else self._limit.on_loop(attempt, limit_secs, call))
        if definition.target is not None:
            call = self._processes.run(definition.target, row, attempt)
            return await (call if limit_secs is None else self._limit.on_loop(attempt, limit_secs, call))
        call = self._threads.run(definition.work_function, *arguments)
        return await (call if limit_secs is None else self._limit.in_thread(attempt, limit_secs, call))

    async def _call_surrounded(self, definition: Definition, payload: Any, attempt: Attempt, row: Row) -> Any:
        surrounding: Any = self._context.plugins.around_attempt
        async with surrounding(attempt, payload):
            return await self._call(definition, payload, attempt, row)

    async def _conclude(self, definition: Definition, attempt: Attempt, value: Any) -> Outcome | None:
        if attempt.ending is not None:
            _take_back_cancellation()
            await self._undo(attempt, AttemptLost(f"job {attempt.job_id} was told to stop: {attempt.ending}"))
            return self._conclude_stopped(attempt)
        if isinstance(value, Verdict):
            return await self._conclude_error(definition, attempt, value)
        detail = value.text if isinstance(value, Written) else self._encode(definition, value)
        outcome = Outcome(attempt.job_id, attempt.number, "succeeded", None, detail)
        if not attempt.has_transaction:
            return outcome
        await attempt.commit(outcome)
        return None

    async def _conclude_error(  # noqa: PLR0911 - one return for each way an attempt can end
        self, definition: Definition, attempt: Attempt, error: BaseException
    ) -> Outcome | None:
        await self._undo(attempt, error)
        if attempt.ending is not None:
            _take_back_cancellation()
            if attempt.ending != TIMED_OUT:
                return self._conclude_stopped(attempt)
        job_id, number = attempt.job_id, attempt.number
        match error:
            case Snooze():
                return Outcome(job_id, number, "snoozed", None, None, error.delay_secs)
            case Retry():
                return self._error(attempt, error, error.after_secs)
            case Cancel():
                return Outcome(job_id, number, "cancelled", None, error_record(error, number))
            case Fail():
                return Outcome(job_id, number, "failed", FailureReason.DECLARED, error_record(error, number))
            case AttemptLost():
                attempt.ending = "lost"
                return None
            case Refused():
                return Outcome(job_id, number, "failed", error.reason, error_record(error, number))
            case _:
                return self._retry(definition, attempt, error)

    def _retry(self, definition: Definition, attempt: Attempt, error: BaseException) -> Outcome:
        _logger.warning(
            "job %s (%s) attempt %s raised %s: %s",
            attempt.job_id, attempt.name, attempt.number, type(error).__qualname__, message_of(error)[:200],
        )  # fmt: skip
        if not may_retry(error, definition.terms.retry_on, definition.terms.no_retry_on):
            return self._error(attempt, error, None)
        try:
            delay_secs = backoff_secs(definition.terms.backoff, attempt.error_count + 1)
        except Exception:
            _logger.exception("the backoff of job %s cannot be told; it waits 60 s", attempt.name)
            delay_secs = 60.0
        return self._error(attempt, error, delay_secs)

    def _error(self, attempt: Attempt, error: BaseException, delay_secs: float | None) -> Outcome:
        reason = FailureReason.TIMEOUT if attempt.ending == TIMED_OUT else FailureReason.ERROR
        record = error_record(error, attempt.number)
        return Outcome(attempt.job_id, attempt.number, "error", reason, record, delay_secs)

    def _conclude_stopped(self, attempt: Attempt) -> Outcome | None:
        """End an attempt that was told to stop: only a cancellation is told to the queue."""
        if attempt.ending == "cancelled":
            return Outcome(attempt.job_id, attempt.number, "cancelled")
        return None

    async def _undo(self, attempt: Attempt, error: BaseException) -> None:
        if attempt.has_transaction:
            try:
                await attempt.rollback(error)
            except Exception:
                _logger.exception("job %s: its transaction could not be rolled back", attempt.job_id)


def _expired(attempt: Attempt) -> Ended:
    reason = FailureReason.EXPIRED
    outcome = Outcome(attempt.job_id, attempt.number, "failed", reason)
    return Ended(attempt, outcome, 0.0, Refused(reason, "it was not started in time"))


def _take_back_cancellation() -> None:
    """Let the lane go on: it was cancelled only to reach the work function inside it."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
