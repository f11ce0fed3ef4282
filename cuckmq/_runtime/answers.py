"""How a work function's end gets from its process to the worker: said there, understood here.

An exception is not sent itself: unpickled it would run code of its own choice, and many cannot be. What is
sent is what is kept of it anyway, and the names of its classes, by which retry_on and no_retry_on know it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from cuckmq._runtime.frames import Frame
from cuckmq._runtime.record import raw_message_of, raw_traceback_of
from cuckmq.outcome import Cancel, Fail, Retry, Snooze, Verdict
from cuckmq.payload import CodecError
from cuckmq.retry_rule import RaisedElsewhere, class_paths
from cuckmq.state import FailureReason

_VERDICTS: Final[dict[str, type[Verdict]]] = {each.__name__: each for each in (Snooze, Retry, Cancel, Fail)}


class Refused(Exception):
    """A payload that cannot be read, or a result that cannot be written: no further try can help."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Written(NamedTuple):
    """A result that is JSON already."""

    text: str


def say_result(text: str) -> Frame:
    """Say that the work function returned this JSON text."""
    return {"kind": "result", "text": text}


def say_error(error: BaseException) -> Frame:
    """Say what was raised, or returned in place of a result."""
    match error:
        case Snooze():
            return {"kind": "verdict", "name": "Snooze", "arguments": [error.delay_secs]}
        case Retry():
            return {"kind": "verdict", "name": "Retry", "arguments": [error.after_secs, error.reason]}
        case Cancel() | Fail():
            return {"kind": "verdict", "name": type(error).__name__, "arguments": [error.reason]}
        case CodecError():
            return {"kind": "refused", "message": str(error)}
        case _:
            pass
    return {
        "kind": "raised",
        "type": type(error).__qualname__,
        "classes": sorted(class_paths(type(error))),
        "message": raw_message_of(error),
        "traceback": raw_traceback_of(error),
    }


def understand(answer: Frame) -> Any:
    """Return what the work function returned, or raise what it raised.

    Raises:
        Verdict: it said so.
        Refused: its result cannot be written.
        RaisedElsewhere: it raised. Its class bears the name of what was raised.
    """
    match answer["kind"]:
        case "result":
            return Written(answer["text"])
        case "verdict":
            raise _VERDICTS[answer["name"]](*answer["arguments"])
        case "refused":
            raise Refused(FailureReason.INVALID_RESULT, answer["message"])
        case _:
            pass
    namesake = type(answer["type"], (RaisedElsewhere,), {})
    raise namesake(answer["message"], answer["traceback"], frozenset(answer["classes"]))
