"""Error records: what is kept of an exception, made safe to store."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from cuckmq.redaction import WITHHELD
from cuckmq.retry_rule import RaisedElsewhere

MAX_MESSAGE_LENGTH: Final = 2_000
MAX_TRACEBACK_LENGTH: Final = 8_000
MAX_TRACEBACK_PIECES: Final = 200
SPARE: Final = 4
"""How many times as much is shown to whoever redacts: a secret that was cut in two would not be known."""

Redacting = Callable[[str], str]


def error_record(error: BaseException, attempt: int, redact: Redacting = str) -> str:
    """Write an exception down as a JSON object with attempt, type, message, traceback and at.

    What may be told of message and traceback is asked of `redact`. Never raises: exceptions may have
    messages of 50 MB, with NULs, or that cannot be made at all.
    """
    return json.dumps({
        "attempt": attempt,
        "type": type(error).__qualname__,
        "message": message_of(error, redact),
        "traceback": traceback_of(error, redact),
        "at": datetime.now(UTC).isoformat(),
    })  # fmt: skip


def message_of(error: BaseException, redact: Redacting = str) -> str:
    """Say what an exception says, cut and cleaned."""
    return _clean(redact(raw_message_of(error))[:MAX_MESSAGE_LENGTH])


def traceback_of(error: BaseException, redact: Redacting = str) -> str:
    """Say where an exception came from, cut and cleaned; empty if it was never raised."""
    told: list[str] = []
    for piece in raw_traceback_of(error):
        told.append(redact(piece)[:MAX_MESSAGE_LENGTH])
        if told[-1] == WITHHELD:
            return WITHHELD
    return _clean("".join(told)[-MAX_TRACEBACK_LENGTH:])


def raw_message_of(error: BaseException) -> str:
    """Say what an exception says, with something to spare for whoever redacts."""
    try:
        text = str(error)
    except BaseException as another:  # noqa: BLE001 - an exception's own code may raise anything
        text = f"(its message cannot be made: {type(another).__qualname__})"
    return text[: SPARE * MAX_MESSAGE_LENGTH]


def raw_traceback_of(error: BaseException) -> list[str]:
    """Say where an exception came from, in pieces with something to spare for whoever redacts."""
    if isinstance(error, RaisedElsewhere):
        return error.traceback_there
    if error.__traceback__ is None:
        return []
    try:
        pieces = traceback.format_exception(error)
    except BaseException as another:  # noqa: BLE001 - an exception's own code may raise anything
        return [f"(its traceback cannot be made: {type(another).__qualname__})"]
    return [piece[: SPARE * MAX_MESSAGE_LENGTH] for piece in pieces[-MAX_TRACEBACK_PIECES:]]


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
