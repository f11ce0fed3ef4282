"""One attempt, from claimed row to outcome: read it as a list of verbs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Any, Final

from cuckmq._runtime.conclusion import (
    complain,
    conclude_error,
    conclude_expired,
    conclude_value,
    decode,
)
from cuckmq._runtime.desk import Desk
from cuckmq._runtime.isolation import Isolated
from cuckmq._runtime.own_state import OwnState
from cuckmq._runtime.processes import Processes
from cuckmq._runtime.running import Ended, Running
from cuckmq._runtime.scribe import Scribe
from cuckmq._runtime.session import Session
from cuckmq._runtime.threads import Threads
from cuckmq._runtime.time_limit import TIMED_OUT, TimeLimit
from cuckmq.attempt import Attempt
from cuckmq.context import Context
from cuckmq.definition import JobDefinition
from cuckmq.errors import AttemptLost
from cuckmq.events import AttemptStarted
from cuckmq.log import get_log
from cuckmq.outcome import Outcome, Verdict
from cuckmq.protocol.exchange import Row

_logger = get_log("cuckmq.worker")

Definition = JobDefinition[Any, Any]

SUSPICION_SECS: Final = 10.0
"""How long a persistent job that stalled again and again runs without others beside it."""


class Executor:
    """Runs attempts and lays their ends on the desk. It lets no exception out.

    Args:
        context: whose definitions to run.
        desk: where ends are laid down.
        threads: where sync work functions run.
        processes: where those run that are to have a process.
        state: what the worker has set up for them.
        scribe: writes what they say of themselves.
        session: knows whose they are; a worker that was lost gets a new id.
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
        session: Session,
    ) -> None:
        self._context = context
        self._desk = desk
        self._threads = threads
        self._processes = processes
        self._state = state
        self._scribe = scribe
        self._session = session
        self._limit = TimeLimit(desk)

    async def run(self, row: Row, definition: Definition, lane: asyncio.Task[None]) -> None:
        """Run one claimed job to its end, in the lane that this is called from."""
        attempt = Attempt(
            row, definition.name,
            worker_id=self._session.worker_id, database=self._context.database, scribe=self._scribe,
            state=self._state.value,
        )  # fmt: skip
        if row.payload is None:
            self._desk.finish(conclude_expired(attempt))
            return
        if definition.terms.persistent and self._desk.is_handing_over:
            attempt.ending = "stopping"
            self._desk.finish(Ended(attempt, None, 0.0))
            return
        began_at = time.monotonic()
        error: BaseException | None
        self._record_start(row, attempt, definition, lane, began_at)
        try:
            payload = decode(definition, row.payload)
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

    def _describe(self, definition: Definition, attempt: Attempt, payload: Any) -> None:
        if _logger.isEnabledFor(logging.DEBUG):
            try:
                described = (
                    "" if definition.terms.describe is None else f": {definition.terms.describe(payload)}"
                )
            except Exception as error:  # noqa: BLE001 - complained of
                complain(definition, f"the payload of job {attempt.job_id} cannot be described", error)
                described = ""
            _logger.debug(
                "job %s (%s) attempt %s starts%s", attempt.job_id, attempt.name, attempt.number, described
            )

    def _record_start(
        self, row: Row, attempt: Attempt, definition: Definition, lane: asyncio.Task[None], began_at: float
    ) -> None:
        can_cancel = definition.signature.is_async or definition.target is not None
        task = lane if can_cancel else None
        running = Running(attempt, task, began_at, definition.terms.persistent)
        self._desk.start(running)
        if running.is_persistent and row.is_suspect:
            lane.get_loop().call_later(SUSPICION_SECS, self._desk.trust, running)
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
        thread = self._threads.begin(definition.work_function, *arguments)
        return await (thread if limit_secs is None else self._limit.in_thread(attempt, limit_secs, thread))

    async def _call_surrounded(self, definition: Definition, payload: Any, attempt: Attempt, row: Row) -> Any:
        surrounding: Any = self._context.plugins.around_attempt
        async with surrounding(attempt, payload):
            return await self._call(definition, payload, attempt, row)

    async def _conclude(self, definition: Definition, attempt: Attempt, value: Any) -> Outcome | None:
        if attempt.ending is not None:
            _take_back_cancellation()
            await self._undo(
                definition, attempt, AttemptLost(f"job {attempt.job_id} was told to stop: {attempt.ending}")
            )
            return self._conclude_stopped(attempt)
        if isinstance(value, Verdict):
            return await self._conclude_error(definition, attempt, value)
        outcome = conclude_value(definition, attempt, value)
        if not attempt.has_transaction:
            return outcome
        await attempt.commit(outcome)
        return None

    async def _conclude_error(
        self, definition: Definition, attempt: Attempt, error: BaseException
    ) -> Outcome | None:
        await self._undo(definition, attempt, error)
        if attempt.ending is not None:
            _take_back_cancellation()
            if attempt.ending != TIMED_OUT:
                return self._conclude_stopped(attempt)
        if isinstance(error, AttemptLost):
            attempt.ending = "lost"
            return None
        run_secs = time.monotonic() - self._desk.running[attempt].began_at
        return conclude_error(definition, attempt, error, run_secs)

    def _conclude_stopped(self, attempt: Attempt) -> Outcome | None:
        """End an attempt that was told to stop: only a cancellation is told to the queue."""
        if attempt.ending == "cancelled":
            return Outcome(attempt.job_id, attempt.number, "cancelled")
        return None

    async def _undo(self, definition: Definition, attempt: Attempt, error: BaseException) -> None:
        if attempt.has_transaction:
            try:
                await attempt.rollback(error)
            except Exception as another:  # noqa: BLE001 - complained of
                what = f"job {attempt.job_id}: its transaction could not be rolled back"
                complain(definition, what, another)


def _take_back_cancellation() -> None:
    """Let the lane go on: it was cancelled only to reach the work function inside it."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
