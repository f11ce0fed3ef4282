"""A log of what ran when, outside of the database, by which the queue is judged.

Every process appends to one file; a line is one write, so lines never mix. Times are of the
monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cuckmq.attempt import Attempt


@dataclass(slots=True)
class Run:
    """One run of a work function.

    Attributes:
        pid: of the process.
        job_id: the job.
        name: of its definition.
        job_group: its group; empty for none.
        began: seconds on the monotonic clock.
        ended: likewise; infinite as long as nothing tells of an end.
    """

    pid: int
    job_id: int
    name: str
    job_group: str
    began: float
    ended: float = math.inf


class Journal:
    """Writes runs down as they happen.

    Args:
        path: the file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @contextmanager
    def record(self, attempt: Attempt) -> Generator[None]:
        """Write down that a run begins, and that it has ended, whatever its end."""
        self._write("begin", attempt)
        try:
            yield
        finally:
            self._write("end", attempt)

    def _write(self, word: str, attempt: Attempt) -> None:
        group = attempt.job_group or ""
        line = f"{word}\t{os.getpid()}\t{attempt.job_id}\t{attempt.name}\t{group}\t{time.monotonic()}\n"
        os.write(self._file, line.encode())


def read_runs(path: Path) -> list[Run]:
    """Read what was written so far, in order of the beginnings."""
    runs: list[Run] = []
    open_runs: dict[tuple[int, int], Run] = {}
    for line in path.read_text("utf-8").splitlines():
        word, pid, job_id, name, group, at = line.split("\t")
        key = (int(pid), int(job_id))
        if word == "begin":
            open_runs[key] = Run(int(pid), int(job_id), name, group, float(at))
            runs.append(open_runs[key])
        else:
            open_runs.pop(key).ended = float(at)
    return sorted(runs, key=lambda run: run.began)


def bury(runs: Iterable[Run], pid: int, died_at: float) -> None:
    """End the runs of a process that was killed, at the moment when it was certainly gone."""
    for run in runs:
        if run.pid == pid and run.ended == math.inf:
            run.ended = died_at


def find_overlaps(runs: Iterable[Run], *, by: str) -> list[tuple[Run, Run]]:
    """Find runs that began before another one of the same group, or job, had ended.

    Args:
        runs: in order of their beginnings.
        by: `job_group` or `job_id`: what must not run twice at once.
    """
    overlaps: list[tuple[Run, Run]] = []
    latest: dict[object, Run] = {}
    for run in runs:
        key = getattr(run, by)
        if not key:
            continue
        if key in latest and run.began < latest[key].ended:
            overlaps.append((latest[key], run))
        if key not in latest or run.ended > latest[key].ended:
            latest[key] = run
    return overlaps
