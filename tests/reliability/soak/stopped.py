"""The rule about cancelled jobs: what was answered holds. Part of the judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.reliability.soak.history import Cancel, History, Row, Run

HEED_SECS: Final = 15.0
"""How long a worker may take to stop what it was asked to stop, whatever else goes wrong."""


def cancels_hold(history: History) -> Iterator[str]:
    """C15: what was answered `cancelled` never starts; what was asked stops, and does not start again."""
    runs = history.runs_by_job()
    asked = {cancel.job_id for cancel in history.cancels}
    for row in history.rows.values():
        if row.state == "cancelled" and row.id not in asked:
            yield f"job {row.id} is cancelled, and nobody asked"
    for cancel in history.cancels:
        row = history.rows.get(cancel.job_id)
        if row is None or cancel.answered_at is None:
            continue
        of_job = runs.get(cancel.job_id, [])
        later = [run for run in of_job if run.began_at > cancel.answered_at and not _is_excused(history, run)]
        if cancel.answer == "requested":
            yield from _was_heeded(cancel, row, of_job, later)
            continue
        if cancel.answer == "cancelled" and row.state != "cancelled":
            yield f"job {row.id} was answered to be cancelled, and stands as {row.state}"
        for run in later:
            yield f"{run} began after the answer that the job was {cancel.answer}"


def _was_heeded(cancel: Cancel, row: Row, runs: list[Run], later: list[Run]) -> Iterator[str]:
    assert cancel.answered_at is not None
    # Who asks may find the job taken and not begun; then that attempt may still begin, and no other.
    was_running = any(
        run.has_counted and run.began_at <= cancel.asked_at and (run.ended_at or 0.0) >= cancel.answered_at
        for run in runs
    )
    for run in later[not was_running :]:
        yield f"{run} began after its job was asked to stop"
    for run in runs:
        if run.attempt == row.attempt and run.has_counted and run.ended_at is not None:
            heeded_secs = run.ended_at - max(cancel.answered_at, run.began_at)
            if heeded_secs > HEED_SECS:
                yield f"{run} went on for {heeded_secs:.1f} s after its job was asked to stop"


def _is_excused(history: History, run: Run) -> bool:
    """Whether a fault may have kept a worker from knowing that this was its attempt no more."""
    return not run.has_counted and history.was_touched(run.pid, run.began_at, run.began_at)
