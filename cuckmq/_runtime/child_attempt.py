"""The attempt, as a work function in a process of its own sees it: it can be read, and tells when to stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NoReturn

from cuckmq._runtime.frames import Frame
from cuckmq.attempt import Attempt
from cuckmq.errors import ConfigurationError
from cuckmq.progress import Said
from cuckmq.protocol.exchange import Row


class ChildAttempt(Attempt[object]):
    """A view. What ties an attempt to the database and to its worker's memory is not there.

    Args:
        facts: those that facts_of() told.
        say: says something to the worker. Called in the thread of the work function.
    """

    __slots__ = ("_say_frame",)

    def __init__(self, facts: dict[str, Any], say: Callable[[Frame], None]) -> None:
        self._say_frame = say
        told = Row(**facts["row"])
        row = told._replace(run_at=datetime.fromisoformat(facts["row"]["run_at"]))
        nowhere: Any = None
        super().__init__(row, facts["name"], worker_id=facts["worker_id"], database=nowhere, scribe=nowhere)

    @property
    def state(self) -> NoReturn:
        """Refused: it lives in the worker's memory."""
        raise ConfigurationError(
            "attempt.state belongs to the worker, and this job has executor='process': "
            "open what it needs in the module of the work function"
        )

    def transaction(self) -> NoReturn:
        """Refused: a transaction that commits with the job is the worker's."""
        raise ConfigurationError(
            "attempt.transaction() is not to be had with executor='process': return what is to be written "
            "and have a job without it write that; or write it idempotently, by attempt.job_id"
        )

    async def flush(self) -> NoReturn:
        """Refused: the worker writes, and says nothing back."""
        raise ConfigurationError(f"attempt.flush() {_NOT_HERE}; what it says is written all the same")

    async def read_notes(self) -> NoReturn:
        """Refused: there is no connection here."""
        raise ConfigurationError(f"attempt.read_notes() {_NOT_HERE}: read them by attempt.job_id")

    def read_notes_sync(self) -> NoReturn:
        """Refused: there is no connection here."""
        raise ConfigurationError(f"attempt.read_notes_sync() {_NOT_HERE}: read them by attempt.job_id")

    def hear(self, said: Said) -> None:
        """Pass on what the work function says of its job: the worker writes it down."""
        self._say_frame({"kind": "said", "said": [said.fraction, said.message, said.notes]})


_NOT_HERE: Final = "is not to be had with executor='process'"


def facts_of(attempt: Attempt[Any], row: Row) -> dict[str, Any]:
    """Tell what a ChildAttempt is made of, as JSON."""
    told = row._asdict() | {"run_at": row.run_at.isoformat(), "payload": None}
    return {"row": told, "name": attempt.name, "worker_id": attempt.worker_id}
