"""What a worker counts of its own doing: a few additions for each job, and nothing in the database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from cuckmq._runtime.running import Ended
from cuckmq.histogram import NUM_BUCKETS, add_to
from cuckmq.protocol.exchange import Row, verdicts_of


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

    def tell_apart(self, ended: Ended, verdict: str | None) -> None:
        """Count an attempt that has not simply succeeded as what it came to, and as one success less."""
        self.num_succeeded -= 1
        match verdict:
            case "failed":
                self.num_failed += 1
            case "cancelled":
                self.num_cancelled += 1
            case "scheduled" if ended.outcome is not None and ended.outcome.kind == "snoozed":
                self.num_snoozed += 1
            case "scheduled":
                self.num_errors += 1
            case _:
                self.num_lost += 1


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
        waits: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
        for row in rows:
            waits[row.lane_id, row.definition_id].append((now - row.run_at).total_seconds())
        for key, waited_secs in waits.items():
            counts = self._of(key)
            counts.wait_secs += sum(secs for secs in waited_secs if secs > 0)
            add_to(counts.wait_histogram, waited_secs)

    def ended(self, ended: Iterable[tuple[Ended, Row]], answered: Iterable[Row]) -> None:
        """Count what attempts came to, and how long they ran.

        Args:
            ended: the attempts, each with what it was claimed as.
            answered: what the queue had to say of them: rows with a verdict.
        """
        verdicts = verdicts_of(answered)
        runs: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
        for each, row in ended:
            key = row.lane_id, row.definition_id
            runs[key].append(each.duration_secs)
            verdict = verdicts.get(row.job_id)
            if verdict is not None or each.attempt.ending is not None:
                self._of(key).tell_apart(each, verdict)
        for key, durations_secs in runs.items():
            counts = self._of(key)
            counts.num_succeeded += len(durations_secs)  # those told apart are taken off
            counts.run_secs += sum(durations_secs)
            add_to(counts.run_histogram, durations_secs)

    def take(self) -> str | None:
        """Take what was counted, as JSON for record_stats(); None when nothing was."""
        counts, self._counts = self._counts, {}
        return json.dumps([asdict(each) for each in counts.values()]) if counts else None

    def _of(self, key: tuple[int, int]) -> Counts:
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = Counts(*key)
        return counts
