"""A job in the hands of one who runs it in a loop of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

from cuckmq._runtime.answers import Refused
from cuckmq._runtime.conclusion import conclude_error, conclude_value
from cuckmq._runtime.running import Ended, Running
from cuckmq.attempt import Attempt
from cuckmq.definition import JobDefinition
from cuckmq.errors import InvalidResult
from cuckmq.outcome import Snooze
from cuckmq.types import Secs

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
OtherPayloadT = TypeVar("OtherPayloadT")
OtherResultT = TypeVar("OtherResultT")


class PulledJob(Generic[PayloadT, ResultT]):
    """A claimed job, yours until you say what became of it, once: finish, fail, snooze or release.

    Each of these returns when the queue has heard it, and commits. Each raises

    - AttemptLost if the job is not yours any more: the queue took the puller for dead, or the puller was
      stopped. Nothing was changed. (It is also said when the connection broke in the moment the queue
      heard it, and nobody can know.)
    - RuntimeError if it was said before.

    Attributes:
        definition: of the job.
        payload: what was put in, read and checked.
        attempt: the running try: ids, number, group.
    """

    def __init__(
        self,
        definition: JobDefinition[PayloadT, ResultT],
        payload: PayloadT,
        running: Running,
        settle: Callable[[Running, Ended], Awaitable[None]],
        run_secs: Callable[[], float],
    ) -> None:
        self.definition = definition
        self.payload = payload
        self.attempt: Attempt = running.attempt
        self._running = running
        self._settle = settle
        self._run_secs = run_secs

    def __repr__(self) -> str:
        return f"PulledJob(id={self.id}, name={self.name!r})"

    @property
    def id(self) -> int:
        """The job's id."""
        return self.attempt.job_id

    @property
    def name(self) -> str:
        """Of the job's definition."""
        return self.attempt.name

    @property
    def is_cancelled(self) -> bool:
        """Whether to stop: somebody cancelled it, it is lost, or the puller was stopped.

        A cancelled one may be finished all the same; fail, snooze or release it, and it ends as cancelled.
        """
        return self.attempt.is_cancelled

    def of(
        self, definition: JobDefinition[OtherPayloadT, OtherResultT]
    ) -> PulledJob[OtherPayloadT, OtherResultT] | None:
        """This job with its types if it is of that definition, else None."""
        if self.definition is not definition:
            return None
        return cast(PulledJob[OtherPayloadT, OtherResultT], self)

    async def finish(self, result: ResultT) -> None:
        """The job has succeeded, with this result.

        Raises:
            InvalidResult: it does not fit the definition. The job is still yours.
        """
        try:
            outcome = conclude_value(self.definition, self.attempt, result)
        except Refused as error:
            raise InvalidResult(f"job {self.id}: {error}", job_id=self.id) from error
        await self._settle(self._running, Ended(self.attempt, outcome, self._run_secs()))

    async def fail(self, error: BaseException | str) -> None:
        """This try has ended in an error: the job runs again after its backoff, or has failed.

        Args:
            error: what was raised, or what to keep of it. A verdict (Retry, Cancel, Fail) is understood.
        """
        await self._conclude(error if isinstance(error, BaseException) else Exception(error))

    async def snooze(self, secs: Secs) -> None:
        """Run it again later. No try is counted."""
        await self._conclude(Snooze(secs))

    async def release(self) -> None:
        """Give it back where it stood, for anybody to take at once. No try is counted."""
        await self._settle(self._running, Ended(self.attempt, None, self._run_secs()))

    async def _conclude(self, error: BaseException) -> None:
        run_secs = self._run_secs()
        outcome = conclude_error(cast(Any, self.definition), self.attempt, error, run_secs)
        await self._settle(self._running, Ended(self.attempt, outcome, run_secs, error))
