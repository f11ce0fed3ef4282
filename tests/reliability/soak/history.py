"""What happened, as files tell it: one per process, each line written at once, by the monotonic clock.

All processes are on one host, so their monotonic clocks are one clock.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SWEEP_SECS: Final = 3.0
"""How long after a lease its holder may still not be missed: a rescue each second, on a busy machine."""


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


@dataclass(slots=True)
class Call:
    """An enqueue: called, and acknowledged with an id, or left unknown."""

    key: str
    at: float
    group: str | None = None
    is_plain: bool = True
    job_id: int | None = None
    acked_at: float | None = None
    unique: str | None = None
    duplicate_of: int | None = None
    """The job that was said to hold the key. Then nothing was put in, and there is no id."""


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
    name: str = "work"
    has_returned: bool = True
    """Whether the work function returned; it raised otherwise, or was stopped."""

    def __str__(self) -> str:
        return f"attempt {self.attempt} of job {self.job_id} in {self.pid}"

    @property
    def has_counted(self) -> bool:
        """Whether the queue took its outcome, so that the job was this attempt's to the end."""
        return self.verdict not in (None, "lost")


@dataclass(slots=True)
class Cancel:
    """A request to cancel a job, and the answer: `cancelled`, `requested`, `ended`, or none."""

    job_id: int
    asked_at: float
    answered_at: float | None = None
    answer: str | None = None


@dataclass(slots=True)
class Take:
    """A process heard that it had taken a job of a definition that has a rate."""

    name: str
    at: float
    pid: int


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
    reason: str | None = None
    claimed_at: float | None = None
    """When it was taken for the last time, by the database's clock."""


@dataclass(slots=True)
class History:
    """Everything the judge looks at."""

    lease_secs: float
    life_secs: float = 0.0
    """How long there was somebody who keeps the schedules."""
    calls: dict[str, Call] = field(default_factory=dict)
    cancels: list[Cancel] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)
    effects: dict[int, list[int]] = field(default_factory=dict)
    """The attempts of each job whose writes are there."""
    takes: list[Take] = field(default_factory=list)
    slots: list[tuple[str, str, int]] = field(default_factory=list)
    """Moments of the schedules, each with the job that an orchestrator was told of."""
    remains: list[str] = field(default_factory=list)
    """What was found at the end and should not be: problems, locks, sessions, error lines."""

    def was_touched(self, pid: int, since: float, until: float) -> bool:
        """Whether a fault may have cost a process its lease: in that time, or so shortly before it."""
        since -= self.lease_secs + SWEEP_SECS
        return any(
            fault.pid in (None, pid) and fault.began_at <= until and fault.ended_at >= since
            for fault in self.faults
        )

    def runs_by_job(self) -> dict[int, list[Run]]:
        """Find the runs of each job, in their order."""
        found: dict[int, list[Run]] = defaultdict(list)
        for run in sorted(self.runs, key=lambda each: each.began_at):
            found[run.job_id].append(run)
        return found
