"""How much a worker asks for. Pure arithmetic over what it has lately done.

A job waiting in a worker's memory is a job that no other worker can take. So a worker asks for what
its lanes can start at once, and for more only while jobs are so short that the round trip to the
database would cost more than the jobs: then for as much as it gets through in about 50 ms, and in two
round trips besides. By the 50 ms alone, a worker far from its database would never ask for more than its
lanes hold, and run ten jobs a trip; two trips let what it asks for grow until its lanes are busy.
"""

from __future__ import annotations

import time
from typing import Final

AHEAD_SECS: Final = 0.05
MAX_TRIP_SECS: Final = 0.5
"""What takes longer waits for a lock rather than for the network."""
LONG_JOB_SECS: Final = 0.02
MAX_LIMIT: Final = 512
MAX_TURNS: Final = 256
"""Of groups: each asks the server for an advisory lock until the claim commits, and it has room for some
thousands."""
_WEIGHT: Final = 0.3


class Appetite:
    """Learns from batches of finished jobs how long jobs take and how many pass in a second.

    Args:
        num_lanes: how many jobs run at once.

    Attributes:
        num_held_lanes: how many of these cannot take any, for the time being.
        max_limit: how much to ask for at once, at most.
    """

    def __init__(self, num_lanes: int) -> None:
        self._num_lanes = num_lanes
        self.num_held_lanes = 0
        self.max_limit = MAX_LIMIT
        self._job_secs = LONG_JOB_SECS
        self._jobs_per_sec = 0.0
        self._trip_secs = 0.0
        self._learned_at = time.monotonic()

    def learn(self, num_jobs: int, total_secs: float, asked_at: float) -> None:
        """Take in a batch of finished jobs, the sum of their run times, and when this trip began."""
        now = time.monotonic()
        elapsed_secs = max(now - self._learned_at, 1e-4)
        self._learned_at = now
        self._trip_secs += _WEIGHT * (min(now - asked_at, MAX_TRIP_SECS) - self._trip_secs)
        if num_jobs:
            self._job_secs += _WEIGHT * (total_secs / num_jobs - self._job_secs)
            self._jobs_per_sec += _WEIGHT * (num_jobs / elapsed_secs - self._jobs_per_sec)

    def learn_kind(self, *, is_grouped: bool) -> None:
        """Take in whether there were groups among what was claimed."""
        self.max_limit = MAX_TURNS if is_grouped else MAX_LIMIT

    @property
    def target(self) -> int:
        """How many jobs to have in hand, running or waiting for a lane."""
        num_lanes = self._num_lanes - self.num_held_lanes
        if self._job_secs >= LONG_JOB_SECS or num_lanes <= 0:
            return num_lanes
        return num_lanes + min(int(self._jobs_per_sec * self._ahead_secs), 2 * self.max_limit)

    @property
    def is_over(self) -> bool:
        """Whether no lane will take anything any more, so that what lies there is better off elsewhere."""
        return self.num_held_lanes >= self._num_lanes

    @property
    def slice(self) -> int:
        """How many jobs of one group to take at once: 1 for long jobs, as many short ones as are worth it."""
        if self._job_secs >= LONG_JOB_SECS:
            return 1
        return max(1, min(int(self._ahead_secs / max(self._job_secs, 1e-6)), MAX_TURNS))

    @property
    def _ahead_secs(self) -> float:
        return AHEAD_SECS + 2 * self._trip_secs
