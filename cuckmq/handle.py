"""What enqueue gives back: a hand on a job, from which its fate can be asked."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from cuckmq.cancellation import cancel_job, cancel_job_sync, is_accepted
from cuckmq.database.database import Database
from cuckmq.database.endings import Endings, wait_sync
from cuckmq.errors import (
    CircularWait,
    InvalidResult,
    JobCancelled,
    JobFailed,
    JobNotFound,
    ResultTimeout,
)
from cuckmq.hub import EventHub
from cuckmq.job import Job, error_from_record, job_from_row
from cuckmq.payload import Codec, CodecError
from cuckmq.protocol import inspect
from cuckmq.protocol.find_circle import find_circle
from cuckmq.protocol.inspect import Ending, JobRow
from cuckmq.slot import SLOT, Slot
from cuckmq.state import JobState
from cuckmq.types import Secs, as_secs

ResultT_co = TypeVar("ResultT_co", covariant=True)


class JobHandle(Generic[ResultT_co]):
    """A hand on one job. It holds an id and nothing else; make as many as you like.

    Attributes:
        id: the job's id.
        is_duplicate: whether enqueue put in nothing, since this job held the unique key already.
    """

    __slots__ = ("_codec", "_database", "_endings", "_events", "id", "is_duplicate")

    def __init__(
        self,
        job_id: int,
        *,
        database: Database,
        endings: Endings,
        events: EventHub,
        codec: Codec[ResultT_co],
        is_duplicate: bool = False,
    ) -> None:
        self.id = job_id
        self.is_duplicate = is_duplicate
        self._database = database
        self._endings = endings
        self._events = events
        self._codec = codec

    def __repr__(self) -> str:
        return f"JobHandle({self.id})"

    async def get(self) -> Job:
        """Look at the job as it is now.

        Raises:
            JobNotFound: it was purged, or the transaction that enqueued it did not commit.
        """
        return self._seen(await self._database.run(inspect.find_jobs([self.id])))

    def get_sync(self) -> Job:
        """Do what get() does, without an event loop."""
        return self._seen(self._database.run_sync(inspect.find_jobs([self.id])))

    async def result(self, *, timeout_secs: Secs | None = None) -> ResultT_co:
        """Wait for the job to end, and return what its work function returned.

        Works from any process, and at once for a job that ended long ago. Inside of a work function it gives
        the lane up while it waits, so that a job may wait for jobs it has put in, though its worker runs no
        more than one at a time.

        Args:
            timeout_secs: how long to wait; 0 for one look; None for as long as it takes.

        Raises:
            JobFailed: it failed; the message has the last error.
            JobCancelled: it was cancelled.
            JobNotFound: it was purged, or its definition keeps none that end so, or it never committed.
            ResultTimeout: it did not end in time. It goes on.
            CircularWait: it cannot run before the job that asks has ended, which would wait for ever.
            InvalidResult: what is stored does not fit the definition's result type.
        """
        limit_secs = None if timeout_secs is None else as_secs("timeout_secs", timeout_secs)
        slot = SLOT.get()
        if slot is None or slot.is_over:
            return self._end(await self._endings.wait(self.id, limit_secs), limit_secs)
        if limit_secs is None:
            await self._refuse_circle(slot)
        async with slot.vacated():
            ending = await self._endings.wait(self.id, limit_secs)
        return self._end(ending, limit_secs)

    def result_sync(self, *, timeout_secs: Secs | None = None) -> ResultT_co:
        """Do what result() does, in a thread: of a script, of a web server, of a sync work function.

        Raises:
            RuntimeError: this is the event loop's own thread, which would block; use result().
        """
        slot = SLOT.get()
        if slot is not None:
            waiting = asyncio.run_coroutine_threadsafe(self.result(timeout_secs=timeout_secs), slot.loop)
            return waiting.result()
        limit_secs = None if timeout_secs is None else as_secs("timeout_secs", timeout_secs)
        return self._end(wait_sync(self._database, self.id, limit_secs), limit_secs)

    async def _refuse_circle(self, slot: Slot) -> None:
        """Raise if the job in this slot would wait for ever. One that holds no group is not asked about."""
        if slot.job_group is None and slot.job_id != self.id:
            return
        (job_id,) = await self._database.run(find_circle(slot.job_id, slot.job_group, self.id))
        if job_id is not None:
            why = (
                "has to end first"
                if job_id == slot.job_id
                else f"is of its own group {slot.job_group!r}, and runs when it has ended"
            )
            raise CircularWait(
                f"job {slot.job_id} would wait for ever for job {self.id}: job {job_id} {why}; give the two "
                "different groups, or return, and put in what comes next with after=",
                job_id=self.id,
            )

    def _end(self, ending: Ending | None, limit_secs: float | None) -> ResultT_co:
        if ending is None:
            raise ResultTimeout(
                f"job {self.id} did not end within {limit_secs:g} s; it goes on", job_id=self.id
            )
        return self._read(ending)

    async def cancel(self) -> bool:
        """Cancel the job: at once if it has not started, else by asking its worker to stop it.

        Returns:
            Whether it is cancelled, or was asked to be. False when it had ended already.
        """
        return is_accepted(await cancel_job(self.id, self._database, self._events))

    def cancel_sync(self) -> bool:
        """Do what cancel() does, without an event loop."""
        return is_accepted(cancel_job_sync(self.id, self._database, self._events))

    def _seen(self, rows: list[JobRow]) -> Job:
        if not rows:
            raise self._not_found()
        return job_from_row(rows[0])

    def _read(self, ending: Ending) -> ResultT_co:
        if ending.state is None:
            raise self._not_found()
        if ending.state == JobState.CANCELLED:
            raise JobCancelled(f"job {self.id} was cancelled", job_id=self.id)
        if ending.state == JobState.FAILED:
            last = error_from_record(ending.errors[-1]) if ending.errors else None
            told = f": {last.type}: {last.message}" if last else ""
            reason = ending.reason or ""
            raise JobFailed(f"job {self.id} failed ({reason}){told}", job_id=self.id, reason=reason)
        try:
            return self._codec.decode(ending.result or "null")
        except CodecError as error:
            raise InvalidResult(f"job {self.id}: {error}", job_id=self.id) from error

    def _not_found(self) -> JobNotFound:
        return JobNotFound(
            f"there is no job {self.id}: it was purged, or its definition keeps none that end so, "
            "or the transaction that enqueued it did not commit",
            job_id=self.id,
        )
