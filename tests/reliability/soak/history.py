"""What happened, as files tell it: one per process, each line written at once, by the monotonic clock.

All processes are on one host, so their monotonic clocks are one clock.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Journal:
    """Writes the file of this process."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = os.open(
            folder / f"{name}-{os.getpid()}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
        )

    def note(self, word: str, **what: Any) -> None:
        """Write down that something happened, now."""
        line = json.dumps({"word": word, "at": time.monotonic(), "pid": os.getpid(), **what}) + "\n"
        os.write(self._file, line.encode())


def read_notes(folder: Path) -> Iterator[dict[str, Any]]:
    """Read all files; a torn last line is left out."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().split("\n")[:-1]:
            yield json.loads(line)


@dataclass(slots=True)
class Call:
    """An enqueue: called, and acknowledged with an id, or left unknown."""

    key: str
    at: float
    group: str | None = None
    is_plain: bool = True
    job_id: int | None = None
    acked_at: float | None = None


@dataclass(slots=True)
class Run:
    """One start of a work function."""

    job_id: int
    attempt: int
    group: str | None
    pid: int
    began_at: float
    ended_at: float | None = None
    settled_at: float | None = None
    verdict: str | None = None


@dataclass(slots=True)
class Fault:
    """Something that the nemesis did. Without a pid it concerns everybody."""

    kind: str
    began_at: float
    ended_at: float
    pid: int | None = None


@dataclass(slots=True)
class Row:
    """A job as the tables have it at the end."""

    id: int
    key: str | None
    name: str
    state: str
    attempt: int
    error_count: int
    stall_count: int
    num_attempts: int
    num_stalls: int


@dataclass(slots=True)
class History:
    """Everything the judge looks at."""

    lease_secs: float
    calls: dict[str, Call] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)
    effects: dict[int, int] = field(default_factory=dict)
    slots: list[tuple[str, int]] = field(default_factory=list)
    """Moments of the schedule, each with the job that an orchestrator was told of."""
    remains: list[str] = field(default_factory=list)
    """What was found at the end and should not be: problems, locks, sessions, error lines."""


def read_history(folder: Path, lease_secs: float) -> History:
    """Put the files of all processes together. Tables and remains are added by whoever looked at them."""
    history = History(lease_secs)
    runs: dict[tuple[int, int, int], Run] = {}
    for note in sorted(read_notes(folder), key=lambda each: each["at"]):
        at = note["at"]
        match note["word"]:
            case "call":
                history.calls[note["key"]] = Call(note["key"], at, note["group"], note["is_plain"])
            case "ack":
                call = history.calls[note["key"]]
                call.job_id, call.acked_at = note["job_id"], at
            case "start":
                run = Run(note["job_id"], note["attempt"], note["group"], note["pid"], at)
                runs[run.job_id, run.attempt, run.pid] = run
                history.runs.append(run)
            case "end":
                runs[note["job_id"], note["attempt"], note["pid"]].ended_at = at
            case "told":
                found = runs.get((note["job_id"], note["attempt"], note["pid"]))
                if found is not None:
                    found.settled_at, found.verdict = at, note["verdict"]
            case "tick":
                history.slots.append((note["slot"], note["job_id"]))
            case "fault":
                history.faults.append(Fault(note["kind"], note["began_at"], at, note["target"]))
            case other:
                raise ValueError(f"nobody knows the word {other!r}")
    return history
