"""The rules about what was declared: retries, keys, limits and schedules. Part of the judge.

A job is known to be live, or an attempt to be the job's, only as far as files tell. So these rules speak of
certain spans, which begin late and end early: what overlaps in them did overlap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from tests.reliability.soak.history import Cancel, History, Row, Run
from tests.reliability.soak.jobs import BACKOFF_SECS, CONCURRENCY, RATES, REPEAT_SECS

CLOCK_SECS: Final = 0.02
"""How far two clocks of one machine may part while one measures a short wait and the other tells of it."""
HEARING_SECS: Final = 1.0
"""How long after a commit its worker may hear of it, on a busy machine."""


def retries_as_declared(history: History) -> Iterator[str]:
    """C11: a job fails when its tries are used up and not before, and waits before it is tried again."""
    for job_id, runs in history.runs_by_job().items():
        row = history.rows.get(job_id)
        erred = [run for run in runs if run.verdict in ("scheduled", "failed")]
        if row is not None and len(erred) > row.num_attempts:
            yield f"job {job_id} ran into {len(erred)} errors, and {row.num_attempts} were allowed"
        for run, later in pairwise(runs):
            if run.verdict != "scheduled" or run.ended_at is None or later.attempt != run.attempt + 1:
                continue
            if later.began_at - run.ended_at < BACKOFF_SECS - CLOCK_SECS:
                yield f"{later} began {later.began_at - run.ended_at:.3f} s after the error of {run}"
        # What ends with its own transaction has succeeded by then, whatever its function does.
        if row is None or row.state != "succeeded" or row.name == "book":
            continue
        if not any(run.attempt == row.attempt and run.has_returned for run in runs):
            yield f"job {job_id} succeeded by attempt {row.attempt}, which never returned"
    for row in history.rows.values():
        if row.state == "failed" and row.reason == "error" and row.error_count < row.num_attempts:
            yield f"job {row.id} failed by {row.error_count} errors, and {row.num_attempts} were allowed"


def keys_kept(history: History) -> Iterator[str]:
    """C12: of one key never two live jobs, and a duplicate was told of one that lived."""
    runs = history.runs_by_job()
    calls = {call.key: call for call in history.calls.values() if call.unique is not None}
    spans: dict[str, list[tuple[float, float, Row]]] = defaultdict(list)
    for row in history.rows.values():
        call = calls.get(row.key or "")
        if call is None or call.unique is None:
            continue
        span = _span_of_life(history, row, runs.get(row.id, []), call.acked_at)
        if span is not None:
            spans[call.unique].append((*span, row))
    for key, lives in spans.items():
        ordered = sorted(lives, key=lambda each: each[0])
        for (_, until, earlier), (since, _, later) in pairwise(ordered):
            if since < until:
                yield f"key {key}: job {later.id} was there while job {earlier.id} lived"
    for call in calls.values():
        if call.duplicate_of is None:
            continue
        holder = history.rows.get(call.duplicate_of)
        held = calls.get(holder.key or "") if holder is not None else None
        if held is None or held.unique != call.unique:
            yield f"{call.key} was told of job {call.duplicate_of}, which never had the key {call.unique}"
        elif _has_ended(history, call.duplicate_of, runs.get(call.duplicate_of, []), call.at):
            yield f"{call.key} was told of job {call.duplicate_of}, which had ended before"


def concurrency_kept(history: History) -> Iterator[str]:
    """C13: never more at once than may be."""
    for name, limit in CONCURRENCY.items():
        changes: list[tuple[float, int, Run]] = []
        for run in history.runs:
            until = _held_until(history, run) if run.name == name else run.began_at
            if until > run.began_at:
                changes += [(run.began_at, 1, run), (until, -1, run)]
        num = 0
        for at, change, run in sorted(changes, key=lambda each: each[:2]):
            num += change
            if change > 0 and num > limit:
                yield f"{run} was one of {num} {name} at once at {at:.3f}, and {limit} may be"


def rates_kept(history: History) -> Iterator[str]:
    """C14: never more taken within a span than may be: by the tables exactly, by those who took roughly."""
    for name, (rate, rate_secs) in RATES.items():
        rows = sorted(
            (row.claimed_at, row.id)
            for row in history.rows.values()
            if row.name == name and row.claimed_at is not None
        )
        for (since, first_id), (until, last_id) in zip(rows, rows[rate:], strict=False):
            if until - since < rate_secs:
                yield f"{rate + 1} {name}, jobs {first_id} to {last_id}, were taken in {until - since:.3f} s"
        heard = sorted(
            take.at
            for take in history.takes
            if take.name == name and not _was_deaf(history, take.pid, take.at)
        )
        for since, until in zip(heard, heard[rate:], strict=False):
            if until - since < rate_secs - HEARING_SECS:
                yield f"workers took {rate + 1} {name} within {until - since:.3f} s, at {since:.3f}"


def slots_kept(history: History) -> Iterator[str]:
    """C10: each moment of a schedule has one job, each job one moment, and there are no more than can be."""
    for (name, slot), count in Counter((name, slot) for name, slot, _ in history.slots).items():
        if count > 1:
            yield f"the moment {slot} of {name} has {count} jobs"
    for job_id, count in Counter(job_id for *_, job_id in history.slots).items():
        if count > 1:
            yield f"job {job_id} is told of for {count} moments"
    for name, _, job_id in history.slots:
        row = history.rows.get(job_id)
        if row is None or row.name != name:
            yield f"{name} was told of job {job_id}, which is not there"
    for name, repeat_secs in REPEAT_SECS.items():
        num_jobs = sum(row.name == name for row in history.rows.values())
        # The first moment is at once, and one more may fall on each end.
        if num_jobs > history.life_secs / repeat_secs + 2:
            yield f"{name} was put in {num_jobs} times within {history.life_secs:.0f} s"


def _span_of_life(
    history: History, row: Row, runs: list[Run], acked_at: float | None
) -> tuple[float, float] | None:
    """From when to when a job certainly held its key, if it ever did for sure."""
    if row.state == "cancelled":
        # It may have ended as soon as somebody asked, and was live until then.
        ends = [cancel.asked_at for cancel in history.cancels if cancel.job_id == row.id]
    else:
        ends = [run.ended_at for run in runs if run.attempt == row.attempt and run.ended_at is not None]
    known = [acked_at] if acked_at is not None else []
    known += [run.began_at for run in runs[:1]]
    if not ends or not known:
        return None
    return min(known), ends[0]


def _has_ended(history: History, job_id: int, runs: list[Run], before: float) -> bool:
    """Whether somebody had been told by then that the job has ended."""

    def told(cancel: Cancel) -> bool:
        return (
            cancel.job_id == job_id
            and cancel.answer in ("cancelled", "ended")
            and cancel.answered_at is not None
            and cancel.answered_at < before
        )

    return any(told(cancel) for cancel in history.cancels) or any(
        run.verdict in ("succeeded", "failed", "cancelled")
        and run.settled_at is not None
        and run.settled_at < before
        for run in runs
    )


def _held_until(history: History, run: Run) -> float:
    """Until when a job was certainly this attempt's: to its end if that counted, else to the first fault."""
    if run.has_counted and run.ended_at is not None:
        return run.ended_at
    if history.was_touched(run.pid, run.began_at, run.began_at):
        return run.began_at
    faults = [fault.began_at for fault in history.faults if fault.pid in (None, run.pid)]
    return min([at for at in faults if at >= run.began_at], default=run.ended_at or run.began_at)


def _was_deaf(history: History, pid: int, at: float) -> bool:
    """Whether a fault of this process, or of the server, may have kept it from hearing in time."""
    return any(
        fault.pid in (None, pid) and fault.began_at <= at <= fault.ended_at + HEARING_SECS
        for fault in history.faults
    )
