"""How much a worker asks for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from cuckmq._runtime import appetite
from cuckmq._runtime.appetite import MAX_LIMIT, MAX_TURNS, Appetite


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(appetite, "time", SimpleNamespace(monotonic=clock))
    return clock


def fed(
    clock: Clock, *, num_lanes: int, job_secs: float, jobs_per_sec: float, trip_secs: float = 0.0
) -> Appetite:
    """An appetite that has seen a minute of such jobs."""
    hungry = Appetite(num_lanes)
    for _ in range(600):
        clock.now += 0.1
        num_jobs = max(1, int(jobs_per_sec / 10))
        hungry.learn(num_jobs, num_jobs * job_secs, clock.now - trip_secs)
    return hungry


def test_one_who_knows_nothing_asks_for_what_can_start_at_once(clock: Clock) -> None:
    assert Appetite(10).target == 10
    assert Appetite(10).slice == 1


@pytest.mark.fault("F5")
def test_long_jobs_are_never_hoarded(clock: Clock) -> None:
    hungry = fed(clock, num_lanes=10, job_secs=0.5, jobs_per_sec=20)
    assert (hungry.target, hungry.slice) == (10, 1)


def test_short_jobs_are_taken_ahead_for_50_ms(clock: Clock) -> None:
    hungry = fed(clock, num_lanes=10, job_secs=0.002, jobs_per_sec=1000)
    assert hungry.target == pytest.approx(10 + 50, abs=1)
    assert hungry.slice == pytest.approx(25, abs=1)


def test_far_from_the_database_it_takes_two_trips_worth(clock: Clock) -> None:
    """Ten a trip must become more, from trip to trip; what waits for a lock for long is no such trip."""
    far = fed(clock, num_lanes=10, job_secs=0.001, jobs_per_sec=30, trip_secs=0.3)
    assert far.target == pytest.approx(10 + 19, abs=1)
    stuck = fed(clock, num_lanes=10, job_secs=0.001, jobs_per_sec=30, trip_secs=60)
    assert stuck.target < 10 + 33


def test_however_short_they_are_there_is_a_bound(clock: Clock) -> None:
    hungry = fed(clock, num_lanes=10, job_secs=0.0, jobs_per_sec=1_000_000)
    assert (hungry.target, hungry.max_limit, hungry.slice) == (10 + 2 * MAX_LIMIT, MAX_LIMIT, MAX_TURNS)


def test_where_there_are_groups_it_asks_for_less_at_once(clock: Clock) -> None:
    """Each may be a turn, and each turn a lock."""
    hungry = fed(clock, num_lanes=10, job_secs=0.0, jobs_per_sec=1_000_000)
    hungry.learn_kind(is_grouped=True)
    assert (hungry.target, hungry.max_limit) == (10 + 2 * MAX_TURNS, MAX_TURNS)
    hungry.learn_kind(is_grouped=False)
    assert hungry.max_limit == MAX_LIMIT


def test_a_few_long_jobs_after_many_short_ones_end_the_hoarding(clock: Clock) -> None:
    hungry = fed(clock, num_lanes=10, job_secs=0.001, jobs_per_sec=1000)
    assert hungry.target > 10
    clock.now += 1
    hungry.learn(1, 1.0, clock.now)
    assert hungry.target == 10


def test_batches_at_the_same_instant_divide_by_no_zero(clock: Clock) -> None:
    hungry = Appetite(1)
    hungry.learn(5, 0.0, clock.now)
    hungry.learn(0, 0.0, clock.now)
    hungry.learn(5, 0.0, clock.now)
    assert hungry.target >= 1


def test_a_lane_that_is_held_up_is_not_fed(clock: Clock) -> None:
    """E17: for long jobs and for short ones; with none left, nothing is asked for, nor ahead."""
    for hungry in (Appetite(4), fed(clock, num_lanes=4, job_secs=0.001, jobs_per_sec=2000)):
        whole = hungry.target
        hungry.num_held_lanes = 1
        assert hungry.target == whole - 1
        hungry.num_held_lanes = 4
        assert hungry.target == 0
