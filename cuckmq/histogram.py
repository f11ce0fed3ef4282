"""Durations by the power of two: a few counts that tell how long most of them were.

Bucket 0 is below a millisecond, bucket k from 2 to the power of k-1 up to 2 to the power of k, the last
one everything longer, which is six days. What lies inside a bucket is taken to lie there evenly, so a
percentile told is off by less than a factor of two. Histograms add up, over minutes and workers.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

NUM_BUCKETS: Final = 30
_BOUNDS_SECS: Final = [2.0**bucket / 1000 for bucket in range(NUM_BUCKETS - 1)]


def add_to(histogram: list[int], durations_secs: Iterable[float]) -> None:
    """Count durations in; one below zero, from clocks that differ, is none at all."""
    for bucket, num in Counter(map(partial(bisect, _BOUNDS_SECS), durations_secs)).items():
        histogram[bucket] += num


def percentile(histogram: Sequence[int], percent: float) -> float | None:
    """Tell the seconds that so many percent of the durations stay below; None when there are none."""
    wanted = sum(histogram) * percent / 100
    if not sum(histogram):
        return None
    seen = 0
    for bucket, num in enumerate(histogram):
        if num and seen + num >= wanted:
            low, high = (0.0, 0.001) if bucket == 0 else (2.0 ** (bucket - 1) / 1000, 2.0**bucket / 1000)
            return low + (high - low) * (wanted - seen) / num
        seen += num
    raise AssertionError("the last bucket that holds any reaches the sum")
