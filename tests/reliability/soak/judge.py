"""The rules of a good history. Each says what it found wrong, in words that name the job.

The tables are not believed for what they say of themselves: what ran, and when, is told by the files of
those who ran it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.reliability.soak.declared import (
    concurrency_kept,
    keys_kept,
    rates_kept,
    retries_as_declared,
    slots_kept,
)
from tests.reliability.soak.history import SWEEP_SECS, History, Row, Run
from tests.reliability.soak.stopped import cancels_hold

FINAL = ("succeeded", "failed", "cancelled")
PICKUP_SECS = 5.0
"""How long a job that may run waits for its start while nothing is wrong."""

Rule = Callable[[History], Iterator[str]]


def no_loss(history: History) -> Iterator[str]:
    """C1: what was acknowledged is there, came to an end, and was run if it succeeded."""
    started = {run.job_id for run in history.runs}
    for call in history.calls.values():
        if call.job_id is None:
            continue
        row = history.rows.get(call.job_id)
        if row is None:
            yield f"job {call.job_id} ({call.key}) was acknowledged and is gone"
        elif row.state not in FINAL:
            yield f"job {call.job_id} ({call.key}) did not end: {row.state}"
        elif row.state == "succeeded" and call.job_id not in started:
            yield f"job {call.job_id} ({call.key}) succeeded and never ran"


def no_phantom(history: History) -> Iterator[str]:
    """C2: what is there was called for, once."""
    seen: Counter[str] = Counter()
    for row in history.rows.values():
        if row.key is None:
            continue
        seen[row.key] += 1
        if row.key not in history.calls:
            yield f"job {row.id} ({row.key}) was never called for"
    for key, count in seen.items():
        if count > 1:
            yield f"{key} was called for once and is there {count} times"


def one_at_a_time(history: History) -> Iterator[str]:
    """C3: of one job, and of one group, never two at once, unless the first had lost its lease by a fault."""
    lines: dict[str, list[Run]] = defaultdict(list)
    for run in history.runs:
        lines[f"job {run.job_id}"].append(run)
        if run.group is not None:
            lines[f"group {run.group}"].append(run)
    for line, runs in lines.items():
        ordered = sorted(runs, key=lambda each: each.began_at)
        for earlier, later in pairwise(ordered):
            if earlier.ended_at is not None and earlier.ended_at <= later.began_at:
                continue
            what = f"{line}: {later} began while {earlier} ran"
            if earlier.has_counted:
                yield f"{what}, whose outcome counted ({earlier.verdict})"
            elif not history.was_touched(earlier.pid, earlier.began_at, later.began_at):
                yield f"{what}, and no fault had touched that"


def nothing_after_the_end(history: History) -> Iterator[str]:
    """C4: a job ends once, as its last run was told, and does not run again."""
    told: dict[int, list[Run]] = defaultdict(list)
    for run in history.runs:
        if run.verdict in FINAL:
            told[run.job_id].append(run)
    for job_id, runs in told.items():
        if len(runs) > 1:
            yield f"job {job_id} ended {len(runs)} times: {', '.join(map(str, runs))}"
        row = history.rows.get(job_id)
        if row is not None and row.state != runs[0].verdict:
            yield f"job {job_id} ended {runs[0].verdict} and stands as {row.state}"
    for run in history.runs:
        for end in told.get(run.job_id, ()):
            if end.settled_at is not None and run.began_at > end.settled_at:
                yield f"{run} began after {end} had ended the job"
        row = history.rows.get(run.job_id)
        if row is not None and row.state in FINAL and run.attempt > row.attempt:
            yield f"{run} began, and yet attempt {row.attempt} has ended the job"


def bounded_attempts(history: History) -> Iterator[str]:
    """C5: an attempt starts once, later ones have higher numbers, and limits are kept."""
    for (job_id, attempt), count in Counter((run.job_id, run.attempt) for run in history.runs).items():
        if count > 1:
            yield f"attempt {attempt} of job {job_id} was started {count} times"
    last: dict[int, Run] = {}
    for run in sorted(history.runs, key=lambda each: each.began_at):
        before = last.get(run.job_id)
        if before is not None and run.attempt <= before.attempt:
            yield f"{run} began after {before}"
        last[run.job_id] = run
    for row in history.rows.values():
        if row.error_count > row.num_attempts:
            yield f"job {row.id} came to {row.error_count} errors, and {row.num_attempts} were allowed"
        if row.stall_count > row.num_stalls + 1:
            yield f"job {row.id} lost {row.stall_count} workers, and {row.num_stalls} were allowed"


def order_in_groups(history: History) -> Iterator[str]:
    """C6: plain jobs of a group start in the order in which they were put in."""
    first: dict[int, float] = {}
    for run in history.runs:
        first[run.job_id] = min(first.get(run.job_id, run.began_at), run.began_at)
    lines: dict[str, list[tuple[float, float, Row]]] = defaultdict(list)
    for call in history.calls.values():
        row = history.rows.get(call.job_id) if call.job_id is not None else None
        if call.group is None or not call.is_plain or row is None or call.acked_at is None:
            continue
        if row.stall_count == row.error_count == 0 and row.id in first:
            lines[call.group].append((call.at, call.acked_at, row))
    for group, calls in lines.items():
        ordered = sorted(calls, key=lambda each: each[0])
        for (_, acked_at, earlier), (called_at, _, later) in pairwise(ordered):
            if acked_at < called_at and first[later.id] < first[earlier.id]:
                yield f"group {group}: job {later.id} began before job {earlier.id}, which was put in first"


def effects_once(history: History) -> Iterator[str]:
    """C7: what is written in the job's own transaction is there once if it succeeded, and else not."""
    for row in history.rows.values():
        if row.name != "book":
            continue
        attempts = history.effects.get(row.id, [])
        if len(attempts) != (row.state == "succeeded"):
            yield f"job {row.id} {row.state}, and its effect is there {len(attempts)} times"
        elif attempts not in ([], [row.attempt]):
            yield f"job {row.id} was ended by attempt {row.attempt}, and attempt {attempts[0]} wrote"


def in_time(history: History) -> Iterator[str]:
    """C8: away from faults, a job that may run at once is started soon."""
    first: dict[int, float] = {}
    for run in history.runs:
        first[run.job_id] = min(first.get(run.job_id, run.began_at), run.began_at)
    for call in history.calls.values():
        if call.group is not None or not call.is_plain or call.acked_at is None or call.job_id is None:
            continue
        began_at = first.get(call.job_id)
        if began_at is None or began_at - call.acked_at <= PICKUP_SECS:
            continue
        recovery_secs = history.lease_secs + SWEEP_SECS + PICKUP_SECS
        if not any(
            fault.began_at <= began_at and fault.ended_at + recovery_secs >= call.acked_at
            for fault in history.faults
        ):
            yield f"job {call.job_id} waited {began_at - call.acked_at:.1f} s, and nothing was wrong"


def nothing_remains(history: History) -> Iterator[str]:
    """C9: no lock, session, broken invariant or stray error at the end."""
    yield from history.remains


RULES: tuple[Rule, ...] = (
    no_loss, no_phantom, one_at_a_time, nothing_after_the_end, bounded_attempts,
    order_in_groups, effects_once, in_time, nothing_remains,
    retries_as_declared, keys_kept, concurrency_kept, rates_kept, slots_kept, cancels_hold,
)  # fmt: skip


def judge(history: History) -> list[str]:
    """Hold a history against all rules."""
    return [f"{rule.__name__}: {finding}" for rule in RULES for finding in rule(history)]
