"""The rules of a good history. Each says what it found wrong, in words that name the job.

The tables are not believed for what they say of themselves: what ran, and when, is told by the files of
those who ran it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from tests.reliability.soak.history import Fault, History, Row, Run

FINAL = ("succeeded", "failed", "cancelled")
SWEEP_SECS = 3.0
"""How long after a lease its holder may still not be missed: a rescue each second, on a busy machine."""
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
            what = f"{line}: {_name(later)} began while {_name(earlier)} ran"
            if earlier.verdict not in (None, "lost"):
                yield f"{what}, whose outcome counted ({earlier.verdict})"
            elif not _was_touched(history, earlier, later.began_at):
                yield f"{what}, and no fault had touched that"


def nothing_after_the_end(history: History) -> Iterator[str]:
    """C4: a job ends once, as its last run was told, and does not run again."""
    told: dict[int, list[Run]] = defaultdict(list)
    for run in history.runs:
        if run.verdict in FINAL:
            told[run.job_id].append(run)
    for job_id, runs in told.items():
        if len(runs) > 1:
            yield f"job {job_id} ended {len(runs)} times: {', '.join(map(_name, runs))}"
        row = history.rows.get(job_id)
        if row is not None and row.state != runs[0].verdict:
            yield f"job {job_id} ended {runs[0].verdict} and stands as {row.state}"
    for run in history.runs:
        for end in told.get(run.job_id, ()):
            if end.settled_at is not None and run.began_at > end.settled_at:
                yield f"{_name(run)} began after {_name(end)} had ended the job"
        row = history.rows.get(run.job_id)
        if row is not None and row.state in FINAL and run.attempt > row.attempt:
            yield f"{_name(run)} began, and yet attempt {row.attempt} has ended the job"


def bounded_attempts(history: History) -> Iterator[str]:
    """C5: an attempt starts once, later ones have higher numbers, and limits are kept."""
    for (job_id, attempt), count in Counter((run.job_id, run.attempt) for run in history.runs).items():
        if count > 1:
            yield f"attempt {attempt} of job {job_id} was started {count} times"
    last: dict[int, Run] = {}
    for run in sorted(history.runs, key=lambda each: each.began_at):
        before = last.get(run.job_id)
        if before is not None and run.attempt <= before.attempt:
            yield f"{_name(run)} began after {_name(before)}"
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
        count = history.effects.get(row.id, 0)
        if count != (row.state == "succeeded"):
            yield f"job {row.id} {row.state}, and its effect is there {count} times"


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


def one_job_a_slot(history: History) -> Iterator[str]:
    """C10: each moment of a schedule has one job, and each of its jobs one moment."""
    for slot, count in Counter(slot for slot, _ in history.slots).items():
        if count > 1:
            yield f"the moment {slot} has {count} jobs"
    num_moments = len(history.slots)
    num_jobs = sum(row.name == "tick" for row in history.rows.values())
    if num_jobs < num_moments:
        yield f"{num_moments} moments were told of, and {num_jobs} jobs are there"


RULES: tuple[Rule, ...] = (
    no_loss, no_phantom, one_at_a_time, nothing_after_the_end, bounded_attempts,
    order_in_groups, effects_once, in_time, nothing_remains, one_job_a_slot,
)  # fmt: skip


def judge(history: History) -> list[str]:
    """Hold a history against all rules."""
    return [f"{rule.__name__}: {finding}" for rule in RULES for finding in rule(history)]


def _name(run: Run) -> str:
    return f"attempt {run.attempt} of job {run.job_id} in {run.pid}"


def _was_touched(history: History, run: Run, until: float) -> bool:
    """Whether a fault may have cost the run its lease: during it, and not longer ago than that takes."""
    patience_secs = history.lease_secs + SWEEP_SECS

    def touches(fault: Fault) -> bool:
        return (
            fault.pid in (None, run.pid)
            and fault.began_at <= until
            and fault.ended_at >= run.began_at - patience_secs
        )

    return any(touches(fault) for fault in history.faults)
