"""Work functions where a process finds them. A Context in the module would do as well."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
import time
from pathlib import Path

from pydantic import BaseModel

from cuckmq import Attempt, Cancel, Snooze
from cuckmq.errors import ConfigurationError


class Sum(BaseModel):
    left: int
    right: int


def add(payload: Sum) -> dict[str, int]:
    print("what a job prints harms nobody")
    return {"sum": payload.left + payload.right, "pid": os.getpid()}


def die(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def die_once(payload: None, attempt: Attempt) -> int:
    if attempt.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt.error_count


def devour(num_bytes: int) -> None:
    """Take memory until it is enough, and hold it."""
    held = []
    while len(held) < num_bytes >> 20:
        held.append(b"x" * (1 << 20))
        time.sleep(0.002)
    time.sleep(60)


def leave(code: int) -> None:
    os._exit(code)


def tell(payload: None, attempt: Attempt) -> list[str | int | bool | None]:
    return [attempt.job_id, attempt.name, attempt.number, attempt.job_group, attempt.is_last]


def write(payload: None, attempt: Attempt) -> None:
    attempt.transaction()


def look_up(payload: None, attempt: Attempt) -> None:
    assert attempt.state


class Sorry(LookupError):
    pass


def regret(payload: str) -> None:
    raise Sorry(payload)


def rage(kind: str) -> None:
    """Raise whatever there is, and what cannot be sent to another process."""
    match kind:
        case "SystemExit":
            sys.exit(3)
        case "Unpicklable":
            raise Unpicklable
        case _:
            raise getattr(builtins, kind)(kind)


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("locked", threading.Lock())

    def __str__(self) -> str:
        raise ValueError("no words")


def give_up() -> Cancel:
    return Cancel("no longer wanted")


def put_off(payload: None, attempt: Attempt) -> Snooze | int:
    return Snooze(0) if attempt.number == 1 else attempt.number


def heed(path: str, attempt: Attempt) -> None:
    """Work until told to stop, and say so."""
    Path(path).write_text(str(os.getpid()))
    while not attempt.is_cancelled:
        time.sleep(0.01)
    Path(path).write_text(f"told: {attempt.ending}")


def ignore(path: str) -> None:
    """Work whatever is said."""
    Path(path).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def meet(folder: str) -> int:
    """Come back when four are here at once."""
    (Path(folder) / str(os.getpid())).touch()
    while len(list(Path(folder).iterdir())) < 4:
        time.sleep(0.01)
    return os.getpid()


def lie() -> int:
    return "no number"  # type: ignore[return-value]


def speak(payload: int, attempt: Attempt) -> list[str]:
    """Say something of the job, and then tell what was refused."""
    for number in range(payload):
        attempt.progress((number + 1) / payload, f"{number + 1} of {payload}")
        attempt.update({"number": number + 1})
    refused: list[str] = []
    try:
        attempt.read_notes_sync()
    except ConfigurationError as error:
        refused.append(str(error))
    return refused


def quote(card: str) -> None:
    """Raise what quotes the payload."""
    raise ValueError(f"{card} is refused")
