"""The life of a worker as the queue sees it: register, beat, recall, retire; and the rescue of the dead.

See register_worker.sql, serve.sql, hold_worker.sql, heartbeat.sql, look_around.sql, recall.sql,
retire_worker.sql, rescue.sql, reap.sql, evict.sql.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cuckmq.protocol.statement import Statement, only

REGISTER: Final = (
    "select * from {schema}.register_worker(%s, %s, %s::integer, %s, %s::integer, %s, %s::float8)"
)
SERVE: Final = "select * from {schema}.serve(%s, %s::text[])"
HOLD: Final = "select {schema}.hold_worker(%s)"
BEAT: Final = """
    select *
    from {schema}.heartbeat(%s, %s::bigint[], %s::integer[], %s::float8), {schema}.look_around(%s::float8)
"""
RECALL: Final = "select {schema}.recall(%s, %s::bigint[], %s::integer)"
RETIRE: Final = "select {schema}.retire_worker(%s)"
RESCUE: Final = """
    select worker_id, name, job_id, verdict, definition, reason from {schema}.rescue(%s::float8, %s::float8)
"""
REAP: Final = "select * from {schema}.reap(%s::float8, %s::float8)"
EVICT: Final = "select * from {schema}.evict(%s::bigint, %s::float8)"


class Registration(NamedTuple):
    """A worker's id, and the ids of the channels it named (None for all)."""

    worker_id: int
    channel_ids: list[int] | None


class Serving(NamedTuple):
    """The ids of the channels that a worker serves, and of their lanes."""

    channel_ids: list[int]
    lane_ids: list[int]


class Pulse(NamedTuple):
    """What the queue answers to a beat: how this worker fares, and the others (look_around.sql)."""

    is_alive: bool
    lost_job_ids: list[int]
    cancelled_job_ids: list[int]
    num_workers: int = 1
    is_rescue_due: bool = False
    is_sweep_due: bool = False


class Rescued(NamedTuple):
    """A job taken from a dead worker, and what became of it: `queued`, `failed` or `cancelled`."""

    job_id: int
    verdict: str
    worker_id: int
    definition: str
    reason: str | None


class Reaped(NamedTuple):
    """A dead worker, and a job taken from it; or, without a job, that the worker was found dead.

    A rescue names the worker only where it found it so, in a row of its own.
    """

    worker_id: int
    name: str | None
    job_id: int | None
    verdict: str | None
    definition: str | None
    reason: str | None

    @property
    def rescued(self) -> Rescued | None:
        """The job alone."""
        if self.job_id is None or self.verdict is None or self.definition is None:
            return None
        return Rescued(self.job_id, self.verdict, self.worker_id, self.definition, self.reason)


def register_worker(
    *,
    name: str,
    host: str,
    pid: int,
    version: str,
    concurrency: int,
    channels: list[str] | None,
    lease_secs: float,
) -> Statement[Registration]:
    """Announce a new incarnation of a worker; one row."""
    return Statement(
        REGISTER,
        (name, host, pid, version, concurrency, channels, lease_secs),
        Registration._make,
    )


def serve(worker_id: int, channels: list[str]) -> Statement[Serving]:
    """Have a living worker serve other channels; one row."""
    return Statement(SERVE, (worker_id, channels), Serving._make)


def hold_worker(worker_id: int) -> Statement[bool]:
    """Tie the worker to this session; one row, of whether it is tied."""
    return Statement(HOLD, (worker_id,), only)


def heartbeat(
    worker_id: int,
    job_ids: list[int],
    attempts: list[int],
    *,
    latency_secs: float | None,
    beat_secs: float,
) -> Statement[Pulse]:
    """Say that the worker lives, ask after its attempts, and look around; one row."""
    return Statement(BEAT, (worker_id, job_ids, attempts, latency_secs, beat_secs), Pulse._make)


def recall(worker_id: int, kept_job_ids: list[int], num_recalls: int | None = None) -> Statement[list[int]]:
    """Put back what the worker holds beside the given jobs; one row, of the ids put back.

    Args:
        worker_id: whose.
        kept_job_ids: what it knows of.
        num_recalls: how many recalls it has made with this one; see Demand. None for one more than before.
    """
    return Statement(RECALL, (worker_id, kept_job_ids, num_recalls), only)


def retire_worker(worker_id: int) -> Statement[list[int]]:
    """Put everything back and forget the worker; one row, of the ids put back."""
    return Statement(RETIRE, (worker_id,), only)


def rescue(*, job_group_unlock_secs: float, beat_secs: float) -> Statement[Reaped]:
    """Take the jobs of dead workers away from them; a row per worker found dead, and one per job."""
    return Statement(RESCUE, (job_group_unlock_secs, beat_secs), Reaped._make)


def reap(*, job_group_unlock_secs: float, beat_secs: float) -> Statement[Reaped]:
    """Rescue now; a row per dead worker and job."""
    return Statement(REAP, (job_group_unlock_secs, beat_secs), Reaped._make)


def evict(worker_id: int, *, job_group_unlock_secs: float) -> Statement[Reaped]:
    """Take a worker for dead, and rescue; a row per dead worker and job."""
    return Statement(EVICT, (worker_id, job_group_unlock_secs), Reaped._make)
