"""What a worker counts of its own doing: a few additions for each job, and nothing in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from cuckmq._runtime.desk import Ended
from cuckmq.histogram import NUM_BUCKETS, bucket_of
from cuckmq.protocol.exchange import Row


def _empty() -> list[int]:
    return [0] * NUM_BUCKETS


@dataclass(slots=True)
class Counts:
    """The counts of one lane and definition. The names are those of `stat`."""

    lane_id: int
    definition_id: int
    num_succeeded: int = 0
    num_failed: int = 0
    num_cancelled: int = 0
    num_errors: int = 0
    num_snoozed: int = 0
    num_lost: int = 0
    run_secs: float = 0.0
    wait_secs: float = 0.0
    run_histogram: list[int] = field(default_factory=_empty)
    wait_histogram: list[int] = field(default_factory=_empty)


class Tally:
    """Counts, until it is asked.

    Attributes:
        skew: how far the database's clock is ahead of this process's.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], Counts] = {}
        self.skew = timedelta()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._counts

    def claimed(self, rows: Iterable[Row], at: datetime) -> None:
        """Count how long jobs have stood in line that came at this moment."""
        now = at + self.skew
        for row in rows:
            counts = self._of(row)
            secs = max((now - row.run_at).total_seconds(), 0.0)
            counts.wait_secs += secs
            counts.wait_histogram[bucket_of(secs)] += 1

    def ended(self, ended: Iterable[tuple[Ended, Row]], rows: Iterable[Row]) -> None:
        """Count what attempts came to, and how long they ran.

        Args:
            ended: the attempts, each with what it was claimed as.
            rows: what the queue had to say of them.
        """
        verdicts = {row.job_id: row.verdict for row in rows if row.verdict not in (None, "due", "emptied")}
        for each, row in ended:
            counts = self._of(row)
            counts.run_secs += each.duration_secs
            counts.run_histogram[bucket_of(each.duration_secs)] += 1
            kind = None if each.outcome is None else each.outcome.kind
            match verdicts.get(each.attempt.job_id):
                case None if each.attempt.ending is None:
                    counts.num_succeeded += 1
                case "failed":
                    counts.num_failed += 1
                case "cancelled":
                    counts.num_cancelled += 1
                case "scheduled" if kind == "snoozed":
                    counts.num_snoozed += 1
                case "scheduled":
                    counts.num_errors += 1
                case _:
                    counts.num_lost += 1

    def take(self) -> str | None:
        """Take what was counted, as JSON for record_stats(); None when nothing was."""
        counts, self._counts = self._counts, {}
        return json.dumps([asdict(each) for each in counts.values()]) if counts else None

    def _of(self, row: Row) -> Counts:
        key = (row.lane_id, row.definition_id)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = Counts(*key)
        return counts
