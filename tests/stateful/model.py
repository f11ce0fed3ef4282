"""What the queue should do, in plain Python: one dictionary of jobs, and no tables.

Time is a number that grows with each operation. A job's `place` is the moment from which it may run, and so
its place in line; a delay is far longer than any number of operations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

NUM_ATTEMPTS, NUM_STALLS = 3, 2


@dataclass(kw_only=True)
class Job:
    """A job as it should be."""

    id: int
    definition: str
    lane: tuple[str, int, str]  # channel, priority, and its definition if that has a limit
    group: str | None = None
    key: tuple[str, str] | None = None  # the key, and for how long it is held: `live` or `queued`
    is_key_held: bool = False
    place: float = 0.0
    state: str = "queued"
    needs: set[int] = field(default_factory=set)
    policy: str = "fail"
    may_expire: bool = False
    num_failures: int = 2**31 - 1
    errors: int = 0
    stalls: int = 0
    returns: int = 0
    attempt: int = 0
    worker: int | None = None
    is_cancel_requested: bool = False

    @property
    def is_live(self) -> bool:
        return self.state not in {"succeeded", "failed", "cancelled"}

    @property
    def is_suspect(self) -> bool:
        return self.stalls >= min(2, NUM_STALLS)

    @property
    def num_done(self) -> int:
        """How many attempts are over."""
        return self.errors + self.stalls + self.returns


class Model:
    """All jobs, which workers hold which groups, and which channels are paused."""

    def __init__(self) -> None:
        self.now = 0.0
        self.jobs: dict[int, Job] = {}
        self.holders: dict[str, int] = {}
        self.paused: set[str] = set()

    def live(self, *states: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.is_live and (not states or job.state in states)]

    def running(self, worker: int | None = None) -> list[Job]:
        return [job for job in self.live("running") if worker in {None, job.worker}]

    def holder_of(self, definition: str, key: str) -> int | None:
        """Tell which job holds a key."""
        return next(
            (job.id for job in self.jobs.values()
             if job.definition == definition and job.is_key_held and job.key and job.key[0] == key),
            None,
        )  # fmt: skip

    def enqueue(self, job: Job, delay_secs: float) -> None:
        job.place = self.now + delay_secs
        job.is_key_held = job.key is not None
        job.state = "blocked" if job.needs else "scheduled" if delay_secs else "queued"
        self.jobs[job.id] = job

    def come_due(self) -> None:
        """Let all delays end now, in their order."""
        for number, job in enumerate(sorted(self.live("scheduled"), key=lambda job: job.place)):
            job.place = self.now + number * 1e-6

    def may_be_claimed(self, definitions_full: Iterable[str] = ()) -> list[Job]:
        """Tell which jobs nothing keeps from being claimed now, but other jobs."""
        return [
            job for job in self.live("queued", "scheduled")
            if job.place <= self.now + 1 and job.lane[0] not in self.paused
            and job.group not in self.holders and job.definition not in definitions_full
        ]  # fmt: skip

    def is_first(self, job: Job) -> bool:
        """Tell whether no other of its group and lane comes before a job."""
        return all(
            job.id <= other.id for other in self.live("queued", "scheduled")
            if (other.group, other.lane) == (job.group, job.lane) and other.place <= self.now + 1
        )  # fmt: skip

    def claim(self, job: Job, worker: int) -> None:
        job.state, job.worker, job.attempt = "running", worker, job.num_done + 1
        if job.key and job.key[1] == "queued":
            job.is_key_held = False
        if job.group is not None:
            self.holders[job.group] = worker

    def promote_due(self) -> None:
        """Move what is due into line, as any claim does that has room for it."""
        for job in self.live("scheduled"):
            if job.place <= self.now + 1 and job.lane[0] not in self.paused:
                job.state = "queued"

    def settle(self, job: Job, outcome: str) -> str:
        """End an attempt; gives what becomes of the job."""
        job.errors += outcome == "error"
        job.returns += outcome == "snoozed"
        job.may_expire = False
        if outcome in {"error", "snoozed"} and job.is_cancel_requested:
            self.end(job, "cancelled")
        elif outcome == "snoozed" or (
            outcome == "error" and job.errors < min(NUM_ATTEMPTS, job.num_failures - job.stalls)
        ):
            job.state, job.place, job.worker = "scheduled", self.now + 60.0, None
        else:
            self.end(job, "failed" if outcome == "error" else outcome)
        job.is_cancel_requested = False
        return job.state

    def take_back(self, worker: int, *, is_stall: bool) -> None:
        """Put back all that a worker has: it died, or lets go."""
        for job in self.running(worker):
            job.may_expire = job.may_expire and not is_stall
            if is_stall:
                job.stalls += 1
            if job.is_cancel_requested:
                self.end(job, "cancelled")
            elif is_stall and (job.stalls > NUM_STALLS or job.errors + job.stalls >= job.num_failures):
                self.end(job, "failed")
            else:
                job.returns += not is_stall
                job.state, job.worker = "queued", None
            job.is_cancel_requested = False
        self.holders = {group: holder for group, holder in self.holders.items() if holder != worker}

    def cancel(self, job: Job) -> str | None:
        if not job.is_live:
            return None
        if job.state == "running":
            job.is_cancel_requested = True
            return "requested"
        job.attempt = job.num_done
        self.end(job, "cancelled")
        return "cancelled"

    def end(self, job: Job, state: str) -> None:
        """End a job, and open or end those that wait for it."""
        job.state, job.worker, job.is_key_held, job.may_expire = state, None, False, False
        for other in self.live("blocked"):
            if job.id not in other.needs:
                continue
            other.needs.discard(job.id)
            if state != "succeeded" and other.policy != "run":
                other.needs.clear()
                other.attempt = 0
                self.end(other, "failed" if other.policy == "fail" else "cancelled")
            elif not other.needs:
                other.state, other.place = "queued", self.now

    def retry(self, job: Job) -> str:
        if job.key and self.holder_of(job.definition, job.key[0]) is not None:
            return "duplicate"
        self.jobs[job.id] = replace(
            job, state="queued", place=self.now, errors=0, stalls=0, returns=job.attempt,
            is_key_held=job.key is not None,
        )  # fmt: skip
        return "queued"

    def attempt_of(self, job: Job) -> int:
        """Tell the attempt as the queue shows it."""
        return job.attempt if job.state == "running" or not job.is_live else job.num_done
