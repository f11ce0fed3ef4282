"""One try at running a job, as the work function sees it."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Final, Generic, Never, TypeAlias

import psycopg
from typing_extensions import TypeVar

from cuckmq.database.database import Database
from cuckmq.database.run import run
from cuckmq.database.wash import wash_role
from cuckmq.errors import AttemptLost, ConfigurationError
from cuckmq.outcome import Outcome
from cuckmq.progress import Outbox, Said, Scribe, read_notes, read_progress
from cuckmq.protocol.exchange import Row
from cuckmq.protocol.fence import fence
from cuckmq.protocol.progress import find_notes
from cuckmq.protocol.settle import settle
from cuckmq.types import UNLIMITED
from cuckmq.worker_state import NO_STATE

# Most attempts say nothing, and share this; the first word of one makes a box of its own.
NOTHING_SAID: Final = Outbox()
_FIRST_WORD: Final = threading.Lock()

StateT_co = TypeVar("StateT_co", covariant=True, default=object)


class Attempt(Generic[StateT_co]):
    """The running try: which job, which number, and its tie to the queue.

    `Attempt[Clients]` says to type checkers what `state` is; to plain `Attempt` it is some object.

    Attributes:
        job_id: the job's id; the same on every try, so it serves as an idempotency key.
        name: of the job's definition.
        number: 1 for the first run, and more each time the job is taken up again, counted as a try or not.
        job_group: the group in which it runs alone, or None.
        worker_id: the worker that runs it.
        error_count: tries that ended in an error before this one.
        stall_count: tries that lost their worker before this one.
        queued_at: when the job was due.
        ending: why the attempt should stop (`cancelled`, `lost`, `stopping`, `timeout`), or None.
        outbox: what it has said and nobody has written yet. For the machinery.
    """

    __slots__ = (
        "_database", "_is_transaction_used", "_num_attempts", "_scribe", "_stack", "_state", "_transaction",
        "ending", "error_count", "job_group", "job_id", "name", "number", "outbox", "queued_at",
        "stall_count", "worker_id",
    )  # fmt: skip

    def __init__(
        self,
        row: Row,
        name: str,
        *,
        worker_id: int,
        database: Database,
        scribe: Scribe,
        state: Any = NO_STATE,
    ) -> None:
        self.job_id = row.job_id
        self.name = name
        self.number = row.attempt
        self.job_group = row.job_group
        self.worker_id = worker_id
        self.error_count = row.error_count
        self.stall_count = row.stall_count
        self.queued_at: datetime = row.run_at
        self.ending: str | None = None
        self._num_attempts = row.num_attempts
        self._database = database
        self._scribe = scribe
        self.outbox = NOTHING_SAID
        self._state = state
        self._is_transaction_used = False
        self._transaction: psycopg.AsyncConnection[Any] | None = None
        self._stack: AsyncExitStack | None = None

    def __repr__(self) -> str:
        return f"Attempt(job_id={self.job_id}, name={self.name!r}, number={self.number})"

    @property
    def state(self) -> StateT_co:
        """What the worker has set up for its work functions.

        Raises:
            ConfigurationError: the context names none.
        """
        if self._state is NO_STATE:
            raise ConfigurationError(
                "this worker has no state: name one, as in Context(worker_state=open_clients)"
            )
        state: StateT_co = self._state
        return state

    @property
    def is_last(self) -> bool:
        """Whether an error now would fail the job."""
        return self._num_attempts != UNLIMITED and self.error_count + 1 >= self._num_attempts

    @property
    def is_cancelled(self) -> bool:
        """Whether this attempt should stop: cancelled, lost, out of time, or its worker is closing.

        An async work function gets CancelledError as well; a sync one must look here.
        """
        return self.ending is not None

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Say how far this job is. Whoever looks at the job sees it: `job.progress`, `job.progress_message`.

        It returns at once, from any thread, and may be called as often as you like: it is written a few times
        a second, and for the last time before the attempt ends. It stays with the job.

        Args:
            fraction: from 0 to 1.
            message: in words, cut at 1,000 characters; the one before stays if none is given.

        Raises:
            ConfigurationError: that is no such fraction or message.
        """
        self.hear(read_progress(fraction, message))

    def update(self, notes: Mapping[str, Any]) -> None:
        """Make notes: for the next try of this job, and for whoever looks at it (`job.notes`).

        Each key replaces the one that is there. Else as progress(): it returns at once, and is written soon
        and surely before the attempt ends. A crash may take what was said within the last quarter of a
        second; flush() tells when it is safe.

        Args:
            notes: what JSON can keep; all that a job has noted may have 100,000 characters.

        Raises:
            ConfigurationError: they are no such thing.
        """
        self.hear(read_notes(notes))

    @property
    def has_spoken(self) -> bool:
        """Whether anything was ever said. For the machinery."""
        return self.outbox is not NOTHING_SAID

    async def flush(self) -> None:
        """Wait until all that this attempt has said is written and committed.

        Raises:
            AttemptLost: the job was given to another worker, and nothing was written.
            ConfigurationError: the job's notes have become too long.
        """
        await self._scribe.write_now(self)

    async def read_notes(self) -> dict[str, Any]:
        """Read the notes that this and earlier tries of the job have made and that are written."""
        return next(iter(await self._database.run(find_notes(self.job_id))), {})

    def read_notes_sync(self) -> dict[str, Any]:
        """Do what read_notes() does, in a sync work function."""
        return next(iter(self._database.run_sync(find_notes(self.job_id))), {})

    def hear(self, said: Said) -> None:
        """Take in something to be written down. For the machinery; from any thread."""
        if self.outbox is NOTHING_SAID:
            with _FIRST_WORD:
                if self.outbox is NOTHING_SAID:
                    self.outbox = Outbox()
        if self.outbox.put(said):
            self._scribe.notice(self)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
        """Open a transaction that commits together with this job's success, or not at all.

        What is written through the connection takes effect exactly if the job ends as succeeded:
        the commit happens when the work function returns, with the result, in one step. If it
        raises, or says anything but a result, all is rolled back; a later try starts afresh. Once
        per attempt.

        Locks the job's running row first, so that whoever has lost the job learns it before any work.

        Afterwards the session is put back as it was: no role, setting, lock, channel or temporary table of
        yours stays on it. Behind a pooler that is done for the role only: use `set local`. On a direct
        connection the job's end is written under the role you leave, so leave none that may not do that.

        Raises:
            AttemptLost: the job was given to another worker, or the attempt was told to stop.
            RuntimeError: a transaction was opened in this attempt before.
        """
        if self._is_transaction_used:
            raise RuntimeError("an attempt has one transaction: do everything inside the first one")
        if self.ending is not None:
            raise AttemptLost(f"job {self.job_id} was told to stop: {self.ending}")
        self._is_transaction_used = True
        self._stack = AsyncExitStack()
        try:
            connection = await self._stack.enter_async_context(self._database.connection())
            await self._stack.enter_async_context(connection.transaction())
            owned = fence(self.worker_id, self.job_id, self.number)
            if not await run(connection, owned, self._database.schema):
                raise AttemptLost(f"job {self.job_id} was given to another worker")
            self._transaction = connection
            yield connection
        except BaseException as error:
            await self.rollback(error)
            raise

    @property
    def has_transaction(self) -> bool:
        """Whether a transaction is open, to be closed by commit() or rollback()."""
        return self._stack is not None

    async def commit(self, outcome: Outcome) -> None:
        """Settle this attempt in its own transaction and commit both. For the machinery.

        Raises:
            AttemptLost: the job was given to another worker; everything was rolled back.
        """
        if self._transaction is None or self._stack is None:
            raise RuntimeError("no transaction was opened in this attempt")
        try:
            await wash_role(self._transaction)
            verdicts = await run(self._transaction, settle(self.worker_id, [outcome]), self._database.schema)
            if any(verdict == "lost" for _, verdict in verdicts):
                raise AttemptLost(f"job {self.job_id} was given to another worker")
        except BaseException as error:
            await self.rollback(error)
            raise
        stack, self._stack = self._stack, None
        await stack.aclose()

    async def rollback(self, error: BaseException) -> None:
        """Undo what the attempt's transaction did. For the machinery."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.__aexit__(type(error), error, error.__traceback__)


AnyAttempt: TypeAlias = Attempt[Never]
"""What a work function may ask for: an attempt with whatever state. Not Attempt[Any]: with an Any among their
arguments, type checkers cannot choose between overloads."""
