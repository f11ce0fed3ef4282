"""Account for every job, when all is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cuckmq.cli.demo.journal import Run, find_overlaps
from cuckmq.cli.demo.producers import Fate
from cuckmq.context import Context
from cuckmq.job import Job
from cuckmq.state import JobState

CHUNK: Final = 1000
FINAL: Final = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(slots=True)
class Tally:
    """What became of the jobs of one definition."""

    succeeded: int = 0
    failed: int = 0
    retries: int = 0
    recovered: int = 0


@dataclass(slots=True)
class Audit:
    """What was found.

    Attributes:
        problems: what is missing or wrong, one sentence each; empty when all is well.
        tallies: by definition.
        num_ended: how many jobs ended.
        num_groups: how many groups were served.
        secs: from the first enqueue to the last end, by the database's clock.
    """

    problems: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    num_ended: int = 0
    num_groups: int = 0
    secs: float = 0.0


async def audit(context: Context, fates: Mapping[int, Fate], runs: list[Run]) -> Audit:
    """Compare what was put in with what the queue says, and with what the execution log says."""
    found = Audit()
    jobs = await _get_all(context, list(fates))
    _check_fates(found, fates, jobs)
    _check_runs(found, runs)
    _check_numbers(found, jobs, runs)
    for problem in await context.jobs.find_problems():
        found.problems.append(f"check_invariants: {problem.problem} (job {problem.job_id})")
    counts = await context.jobs.count()
    if (num_live := sum(counts.values()) - sum(counts[state] for state in FINAL)) > 0:
        found.problems.append(f"{num_live} jobs have not ended")
    found.num_ended = sum(counts[state] for state in FINAL)
    if (num_strange := found.num_ended + num_live - len(fates)) > 0:
        found.problems.append(f"{num_strange} jobs are there that nobody put in")
    _tally(found, jobs)
    return found


async def _get_all(context: Context, job_ids: list[int]) -> dict[int, Job]:
    jobs: dict[int, Job] = {}
    for at in range(0, len(job_ids), CHUNK):
        jobs |= {job.id: job for job in await context.jobs.get_many(job_ids[at : at + CHUNK])}
    return jobs


def _check_fates(found: Audit, fates: Mapping[int, Fate], jobs: Mapping[int, Job]) -> None:
    wrong: Counter[str] = Counter()
    for job_id, fate in fates.items():
        job = jobs.get(job_id)
        if job is None:
            wrong[f"{fate.name} jobs are lost: the queue does not know them"] += 1
        elif job.state != fate.state:
            wrong[f"{fate.name} jobs are {job.state} and should be {fate.state}"] += 1
        elif fate.num_errors is not None and job.error_count != fate.num_errors:
            wrong[f"{fate.name} jobs were tried the wrong number of times"] += 1
    found.problems += [f"{number} {what}" for what, number in wrong.items()]


def _check_runs(found: Audit, runs: list[Run]) -> None:
    found.num_groups = len({run.job_group for run in runs if run.job_group})
    for before, after in find_overlaps(runs, by="job_group"):
        found.problems.append(f"jobs {before.job_id} and {after.job_id} of one group ran at once")
    for before, _ in find_overlaps(runs, by="job_id"):
        found.problems.append(f"job {before.job_id} ran twice at once")


def _check_numbers(found: Audit, jobs: Mapping[int, Job], runs: list[Run]) -> None:
    """Hold what the queue says of each job against how often it really ran."""
    times = Counter(run.job_id for run in runs)
    never = sum(times[job_id] == 0 for job_id in jobs)
    too_often = sum(times[job.id] > job.attempt for job in jobs.values())
    if never:
        found.problems.append(f"{never} jobs never ran, says the execution log")
    if too_often:
        found.problems.append(f"{too_often} jobs ran more often than the queue knows of")


def _tally(found: Audit, jobs: Mapping[int, Job]) -> None:
    ends: list[datetime] = []
    for job in jobs.values():
        tally = found.tallies.setdefault(job.name, Tally())
        tally.succeeded += job.state == JobState.SUCCEEDED
        tally.failed += job.state == JobState.FAILED
        tally.retries += job.error_count if job.state == JobState.SUCCEEDED else 0
        tally.recovered += job.stall_count > 0
        if job.finalized_at is not None:
            ends.append(job.finalized_at)
    if ends:
        found.secs = (max(ends) - min(job.created_at for job in jobs.values())).total_seconds()
