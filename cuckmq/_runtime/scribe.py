"""The duty of the scribe: write down what running attempts say of themselves.

All that was said since the last time, by all attempts, is one statement, a few times a second while there is
anything to write, and never when there is not. Before an attempt ends the executor has its last word written,
so that whoever sees the job ended sees that too. What cannot be written is kept and tried again; at the end
of an attempt only for a while, since then the outcome matters more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg_pool import PoolTimeout

from cuckmq.attempt import Attempt
from cuckmq.context import Context
from cuckmq.database.fuse import Fuse, NoAnswer
from cuckmq.errors import AttemptLost, ConfigurationError, CuckmqError, DatabaseReadOnly
from cuckmq.events import JobProgressed, JobUpdated
from cuckmq.log import get_log
from cuckmq.progress import Said, as_text
from cuckmq.protocol.progress import Note, note_progress

_logger = get_log("cuckmq.worker")

WRITE_SECS: Final = 0.25
IDLE_SECS: Final = 3600.0
LAST_WORD_SECS: Final = 5.0
ANSWER_SECS: Final = 4.0
"""How long one who holds the pen may wait for an answer at first: less than a last word."""
BUSY_SECS: Final = 0.02
MAX_NOTES: Final = 500


class Scribe:
    """Writes what attempts say.

    Args:
        context: whose queue.

    Attributes:
        loop: the worker's event loop, once it has started.
        on_notice: called on it when there is something to write.
    """

    name = "scribe"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._speakers: dict[Attempt, None] = {}
        self._pen = asyncio.Lock()
        self._fuse = Fuse(ANSWER_SECS)
        self._next_at = 0.0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.on_notice: Callable[[], None] = lambda: None

    def notice(self, attempt: Attempt) -> None:
        """An attempt has something to say. Called in any thread."""
        loop = self.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._enlist, attempt)

    async def turn(self) -> float:
        """Write what was said, unless the last time was a moment ago."""
        wait_secs = self._next_at - time.monotonic()
        if self._speakers and wait_secs <= 0:
            async with self._pen:
                await self._write(list(self._speakers)[:MAX_NOTES])
            self._next_at = time.monotonic() + WRITE_SECS
            wait_secs = WRITE_SECS
        return max(wait_secs, BUSY_SECS) if self._speakers else IDLE_SECS

    def trouble(self) -> None:
        """What was not written is kept."""

    async def write_now(self, attempt: Attempt) -> None:
        """Write what an attempt has said so far. Committed on return.

        Raises:
            AttemptLost: the job was given to another worker.
            ConfigurationError: its notes have become too long.
        """
        verdict: str | None = "busy"
        while verdict == "busy":
            # What was taken for a turn that is under way is written, or given back, when the pen is free.
            async with self._pen:
                with suppress(NoAnswer):  # It is no error of the job's, and was kept.
                    verdict = (await self._write([attempt])).get(attempt)
            if attempt.outbox.is_lost:  # found out now, or by a turn that was under way
                raise AttemptLost(f"job {attempt.job_id} was given to another worker")
            if verdict == "too_long":
                raise ConfigurationError(f"the notes of job {attempt.job_id} are too long: {_TOO_LONG}")
            if verdict == "busy":
                await asyncio.sleep(BUSY_SECS)

    async def write_last(self, attempt: Attempt) -> None:
        """Write the last word of an attempt. Raises nothing, not even a cancellation: it is ending anyway."""
        deadline = time.monotonic() + LAST_WORD_SECS
        is_written = False
        while not is_written and time.monotonic() < deadline:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    try:
                        await self.write_now(attempt)
                    except (psycopg.Error, PoolTimeout, OSError, DatabaseReadOnly) as error:
                        _logger.warning("job %s: its last word is not written yet: %s", attempt.job_id, error)
                        await asyncio.sleep(WRITE_SECS)
                    is_written = attempt.outbox.is_empty
            except (CuckmqError, TimeoutError, asyncio.CancelledError):
                break
        self._speakers.pop(attempt, None)

    def _enlist(self, attempt: Attempt) -> None:
        if not attempt.outbox.is_empty:
            self._speakers[attempt] = None
            self.on_notice()

    async def _write(self, attempts: Sequence[Attempt]) -> dict[Attempt, str]:
        """Write what these attempts have said. One of whom nothing could be written stays a speaker."""
        taken: dict[int, tuple[Attempt, Said]] = {}
        for attempt in attempts:
            self._speakers.pop(attempt, None)
            if attempt.job_id in taken:  # an attempt that was lost, and the next one of the job, both here
                self._speakers[attempt] = None
            elif (said := attempt.outbox.take()) is not None:
                taken[attempt.job_id] = attempt, said
        if not taken:
            return {}
        notes = [_note(*each) for each in taken.values()]
        try:
            with self._fuse.stand():
                verdicts = dict(await self._context.database.run(note_progress(notes)))
        except BaseException:
            for attempt, said in taken.values():
                self._keep(attempt, said)
            raise
        for job_id, (attempt, said) in taken.items():
            match verdicts[job_id]:
                case "noted":
                    self._tell(attempt, said)
                case "busy":
                    self._keep(attempt, said)
                case "too_long":
                    _logger.warning("job %s (%s): %s", attempt.job_id, attempt.name, _TOO_LONG)
                case _:
                    attempt.outbox.is_lost = True
                    _logger.info("job %s was lost; what it says is dropped", attempt.job_id)
        return {attempt: verdicts[job_id] for job_id, (attempt, _) in taken.items()}

    def _keep(self, attempt: Attempt, said: Said) -> None:
        attempt.outbox.put_back(said)
        self._speakers[attempt] = None

    def _tell(self, attempt: Attempt, said: Said) -> None:
        if not self._context.events.is_heard:
            return
        about: dict[str, Any] = {
            "job_id": attempt.job_id,
            "name": attempt.name,
            "attempt": attempt.number,
            "worker_id": attempt.worker_id,
        }
        if said.fraction is not None:
            self._context.events.tell(JobProgressed(**about, fraction=said.fraction, message=said.message))
        if said.notes is not None:
            self._context.events.tell(JobUpdated(**about, keys=tuple(said.notes)))


_TOO_LONG: Final = "all together may have 100,000 characters of JSON, and the last were not written"


def _note(attempt: Attempt, said: Said) -> Note:
    return Note(
        attempt.worker_id,
        attempt.job_id,
        attempt.number,
        said.fraction,
        said.message,
        None if said.notes is None else as_text(said.notes),
    )
