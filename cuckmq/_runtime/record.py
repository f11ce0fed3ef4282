"""Error records: what is kept of an exception, made safe to store."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime
from typing import Final

from cuckmq.retry_rule import RaisedElsewhere

MAX_MESSAGE_LENGTH: Final = 2_000
MAX_TRACEBACK_LENGTH: Final = 8_000


def error_record(error: BaseException, attempt: int) -> str:
    """Write an exception down as a JSON object with attempt, type, message, traceback and at.

    Never raises: exceptions may have messages of 50 MB, with NULs, or that cannot be made at all.
    """
    return json.dumps({
        "attempt": attempt,
        "type": type(error).__qualname__,
        "message": message_of(error),
        "traceback": traceback_of(error),
        "at": datetime.now(UTC).isoformat(),
    })  # fmt: skip


def message_of(error: BaseException) -> str:
    """Say what an exception says, cut and cleaned."""
    try:
        text = str(error)
    except BaseException as another:  # noqa: BLE001 - an exception's own code may raise anything
        text = f"(its message cannot be made: {type(another).__qualname__})"
    return _clean(text[:MAX_MESSAGE_LENGTH])


def traceback_of(error: BaseException) -> str:
    """Say where an exception came from, cut and cleaned; empty if it was never raised."""
    if isinstance(error, RaisedElsewhere):
        return _clean(error.traceback_there[-MAX_TRACEBACK_LENGTH:])
    if error.__traceback__ is None:
        return ""
    try:
        lines = traceback.format_exception(error)
    except BaseException as another:  # noqa: BLE001 - an exception's own code may raise anything
        return f"(its traceback cannot be made: {type(another).__qualname__})"
    return _clean("".join(line[:MAX_MESSAGE_LENGTH] for line in lines)[-MAX_TRACEBACK_LENGTH:])


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
