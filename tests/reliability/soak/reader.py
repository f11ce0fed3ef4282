"""Puts the files of all processes together. Each word that they know is a method here, of the same name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from tests.reliability.soak.history import Call, Cancel, Fault, History, Run, Take

Line: TypeAlias = dict[str, Any]


def read_history(folder: Path, lease_secs: float) -> History:
    """Put the files together. Tables and remains are added by whoever looked at them."""
    reader = _Reader(History(lease_secs))
    for line in sorted(read_lines(folder, {}), key=lambda each: each["at"]):
        getattr(reader, line["word"])(line)
    return reader.history


def measure(folder: Path) -> dict[Path, int]:
    """Tell how long each file is by now."""
    return {path: path.stat().st_size for path in folder.glob("*.jsonl")}


def read_lines(folder: Path, since: dict[Path, int]) -> Iterator[Line]:
    """Read all files, each from where it ended then; a torn last line is left out."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes()[since.get(path, 0) :].split(b"\n")[:-1]:
            yield json.loads(line)


class _Reader:
    """Takes lines in the order of their moments."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._runs: dict[tuple[int, int, int], Run] = {}
        self._latest: dict[tuple[int, int], Run] = {}
        self._cancels: dict[int, Cancel] = {}

    def call(self, line: Line) -> None:
        self.history.calls[line["key"]] = Call(
            line["key"], line["at"], line["group"], line["is_plain"], unique=line["unique"]
        )

    def ack(self, line: Line) -> None:
        call = self.history.calls[line["key"]]
        call.acked_at = line["at"]
        if line["is_duplicate"]:
            call.duplicate_of = line["job_id"]
        else:
            call.job_id = line["job_id"]

    def start(self, line: Line) -> None:
        job_id, attempt, pid = line["job_id"], line["attempt"], line["pid"]
        run = Run(job_id, attempt, line["group"], pid, line["at"], name=line["name"])
        self._runs[job_id, attempt, pid] = self._latest[job_id, pid] = run
        self.history.runs.append(run)

    def end(self, line: Line) -> None:
        run = self._runs[line["job_id"], line["attempt"], line["pid"]]
        run.ended_at, run.has_returned = line["at"], line["has_returned"]

    def told(self, line: Line) -> None:
        self._judge(self._runs.get((line["job_id"], line["attempt"], line["pid"])), line, line["verdict"])

    def stopped(self, line: Line) -> None:
        # One that ended before its function was called has no run, and an earlier one has its verdict.
        self._judge(self._latest.get((line["job_id"], line["pid"])), line, "cancelled")

    def take(self, line: Line) -> None:
        self.history.takes.append(Take(line["name"], line["at"], line["pid"]))

    def ask(self, line: Line) -> None:
        self._cancels[line["job_id"]] = Cancel(line["job_id"], line["at"])
        self.history.cancels.append(self._cancels[line["job_id"]])

    def answer(self, line: Line) -> None:
        cancel = self._cancels[line["job_id"]]
        cancel.answered_at, cancel.answer = line["at"], line["answer"]

    def tick(self, line: Line) -> None:
        self.history.slots.append((line["name"], line["slot"], line["job_id"]))

    def fault(self, line: Line) -> None:
        self.history.faults.append(Fault(line["kind"], line["began_at"], line["at"], line["target"]))

    def _judge(self, run: Run | None, line: Line, verdict: str) -> None:
        if run is not None and run.verdict is None:
            run.settled_at, run.verdict = line["at"], verdict
