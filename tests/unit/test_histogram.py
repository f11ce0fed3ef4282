"""Histograms by powers of two."""

from __future__ import annotations

import pytest

from cuckmq.histogram import NUM_BUCKETS, add_to, percentile


@pytest.mark.parametrize(
    ("secs", "bucket"),
    [(-5, 0), (0.0009, 0), (0.001, 1), (0.003, 2), (1, 10), (1e9, NUM_BUCKETS - 1)],
)
def test_the_bucket_of_a_duration(secs: float, bucket: int) -> None:
    histogram = [0] * NUM_BUCKETS
    add_to(histogram, [secs, secs])
    assert histogram == [2 * (each == bucket) for each in range(NUM_BUCKETS)]


@pytest.mark.parametrize("percent", [50, 95, 99, 100])
def test_a_percentile_is_off_by_less_than_a_factor_of_two(percent: int) -> None:
    durations = sorted(0.0015 * 1.1**n for n in range(100))
    histogram = [0] * NUM_BUCKETS
    add_to(histogram, durations)
    told = percentile(histogram, percent)
    assert told is not None
    assert 0.5 < told / durations[percent - 1] < 2


def test_nothing_has_no_percentile() -> None:
    assert percentile([0] * NUM_BUCKETS, 50) is None
