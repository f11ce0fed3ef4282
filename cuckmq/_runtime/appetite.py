"""How much a worker asks for. Pure arithmetic over what it has lately done.

A job waiting in a worker's memory is a job that no other worker can take. So a worker asks for what
its lanes can start at once, and for more only while jobs are so short that the round trip to the
database would cost more than the jobs: then for as much as it gets through in about 50 ms.
"""

from __future__ import annotations

import time
from typing import Final

AHEAD_SECS: Final = 0.05
LONG_JOB_SECS: Final = 0.02
MAX_LIMIT: Final = 256
"""Also bounds the advisory locks that one claim of group turns asks of the server."""
MAX_AHEAD: Final = 2 * MAX_LIMIT
_WEIGHT: Final = 0.3


class Appetite:
    """Learns from batches of finished jobs how long jobs take and how many pass in a second.

    Args:
        num_lanes: how many jobs run at once.

    Attributes:
        num_held_lanes: how many of these cannot take any, for the time being.
    """

    def __init__(self, num_lanes: int) -> None:
        self._num_lanes = num_lanes
        self.num_held_lanes = 0
        self._job_secs = LONG_JOB_SECS
        self._jobs_per_sec = 0.0
        self._learned_at = time.monotonic()

    def learn(self, num_jobs: int, total_secs: float) -> None:
        """Take in a batch of finished jobs and the sum of their run times."""
        now = time.monotonic()
        elapsed_secs = max(now - self._learned_at, 1e-4)
        self._learned_at = now
        if num_jobs:
            self._job_secs += _WEIGHT * (total_secs / num_jobs - self._job_secs)
            self._jobs_per_sec += _WEIGHT * (num_jobs / elapsed_secs - self._jobs_per_sec)

    @property
    def target(self) -> int:
        """How many jobs to have in hand, running or waiting for a lane."""
        num_lanes = self._num_lanes - self.num_held_lanes
        if self._job_secs >= LONG_JOB_SECS or num_lanes <= 0:
            return num_lanes
        return num_lanes + min(int(self._jobs_per_sec * AHEAD_SECS), MAX_AHEAD)

    @property
    def is_over(self) -> bool:
        """Whether no lane will take anything any more, so that what lies there is better off elsewhere."""
        return self.num_held_lanes >= self._num_lanes

    @property
    def slice(self) -> int:
        """How many jobs of one group to take at once: 1 for long jobs, about 50 ms worth of short ones."""
        if self._job_secs >= LONG_JOB_SECS:
            return 1
        return max(1, min(int(AHEAD_SECS / max(self._job_secs, 1e-6)), MAX_LIMIT))
