"""What a job says of itself while it runs, on its way from the work function to the queue.

Saying something costs a work function next to nothing and waits for nothing: it is put here, the newest over
what has not been written yet, and whoever writes (the worker's scribe) is told. He comes a few times a second
for all attempts together, so a loop may say something on every turn. Before the attempt ends he comes once
more. Sync functions say it in their threads: so there is a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from cuckmq.errors import ConfigurationError
from cuckmq.payload import Codec, CodecError

MAX_MESSAGE_LENGTH: Final = 1000

_NOTES: Final[Codec[dict[str, Any]]] = Codec(dict[str, Any], "the notes of a job")
_MESSAGE: Final[Codec[str]] = Codec(str, "the message of a job")


class Said(NamedTuple):
    """Something said and not written yet; None for what was not said.

    Attributes:
        fraction: how far the job is, from 0 to 1.
        message: in words.
        notes: the keys to replace, each with JSON text.
    """

    fraction: float | None = None
    message: str | None = None
    notes: Mapping[str, str] | None = None

    def over(self, older: Said) -> Said:
        """Say this, and of what was said before the rest."""
        notes = self.notes if older.notes is None else {**older.notes, **(self.notes or {})}
        return Said(
            older.fraction if self.fraction is None else self.fraction,
            older.message if self.message is None else self.message,
            notes,
        )


class Scribe(Protocol):
    """Who writes down what attempts say."""

    def notice(self, attempt: Any) -> None:
        """An attempt has something to say. Called in any thread."""

    async def write_now(self, attempt: Any) -> None:
        """Write down what an attempt has said so far."""


class Outbox:
    """What one attempt has said and nobody has taken yet. Any thread may put something in.

    Attributes:
        is_lost: whether something it said was not written, since the job is another worker's by now.
    """

    __slots__ = ("_lock", "_said", "is_lost")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: Said | None = None
        self.is_lost = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return self._said is None

    def put(self, said: Said) -> bool:
        """Say something. Returns whether it is the first since the last was taken."""
        with self._lock:
            is_first = self._said is None
            self._said = said if self._said is None else said.over(self._said)
            return is_first

    def put_back(self, said: Said) -> None:
        """Give back what could not be written; what was said since stands over it."""
        with self._lock:
            self._said = said if self._said is None else self._said.over(said)

    def take(self) -> Said | None:
        """Take all that was said."""
        with self._lock:
            said, self._said = self._said, None
            return said


def read_progress(fraction: Any, message: str | None) -> Said:
    """Check what is said of how far a job is.

    Raises:
        ConfigurationError: the fraction is not from 0 to 1, or the message is no text that can be kept.
    """
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 <= fraction <= 1:
        raise ConfigurationError(f"progress is a number from 0 to 1, not {fraction!r}: divide by the whole")
    if message is not None:
        try:
            _MESSAGE.encode(message)
        except CodecError as error:
            raise ConfigurationError(str(error)) from None
        message = message[:MAX_MESSAGE_LENGTH]
    return Said(float(fraction), message)


def read_notes(notes: Mapping[str, Any]) -> Said:
    """Check notes.

    Raises:
        ConfigurationError: they are no mapping of names to what JSON can keep.
    """
    if not isinstance(notes, Mapping):
        raise ConfigurationError(f'notes are a mapping, as in update({{"page": 4}}), not {notes!r}')
    try:
        return Said(notes={key: _NOTES.encode({key: value}) for key, value in notes.items()})
    except CodecError as error:
        raise ConfigurationError(str(error)) from None


def as_text(notes: Mapping[str, str]) -> str:
    """Write notes as one JSON object."""
    return "{" + ",".join(text[1:-1] for text in notes.values()) + "}"
