"""When a worker looks for jobs. The lookout is told all times, so nobody waits here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cuckmq._runtime.lookout import MAX_SWEEP_SECS, MIN_PAUSE_SECS, SWEEP_SECS, Lookout

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LANE, OTHER_LANE = 1, 2


def place(lane_id: int, secs: float) -> tuple[int, datetime]:
    return lane_id, NOON + timedelta(seconds=secs)


def look(
    lookout: Lookout,
    at: float,
    *places: tuple[int, datetime],
    is_short: bool = True,
    due_secs: float | None = None,
    took_secs: float = 0.0,
) -> dict[int, datetime]:
    """Look at that time, find this, and return where the look began."""
    marks = dict(lookout.marks(at))
    lookout.found(places, is_short=is_short, began_at=at, now=at + took_secs, due_secs=due_secs)
    return marks


def test_the_first_look_is_due_at_once_and_starts_from_the_beginning() -> None:
    lookout = Lookout(1.5)
    assert lookout.next_at == float("-inf")
    assert lookout.marks(0.0) == {}


def test_a_full_look_is_followed_at_once_by_one_from_the_marks() -> None:
    lookout = Lookout(1.5)
    look(lookout, 0.0, place(LANE, 1), place(LANE, 3), place(LANE, 2), place(OTHER_LANE, 9), is_short=False)
    assert lookout.next_at == 0.0
    assert lookout.marks(0.01) == dict([place(LANE, 3), place(OTHER_LANE, 9)])


def test_a_short_look_from_the_marks_is_followed_at_once_by_a_sweep() -> None:
    lookout = Lookout(1.5)
    look(lookout, 0.0, place(LANE, 1), is_short=False)
    assert look(lookout, 0.01, place(LANE, 2)) == dict([place(LANE, 1)])
    assert lookout.next_at == 0.01
    assert lookout.marks(0.01) == {}


def test_a_short_sweep_leads_to_a_pause_that_doubles_up_to_the_idle_interval() -> None:
    lookout, now, pauses = Lookout(1.5), 0.0, []
    for _ in range(14):
        look(lookout, now)
        pauses.append(lookout.next_at - now)
        now = lookout.next_at
    expected = [min(MIN_PAUSE_SECS * 2**step, 1.5) for step in range(14)]
    for pause, longest in zip(pauses, expected, strict=True):
        assert 0.66 * longest <= pause <= longest


def test_finding_something_makes_the_pause_short_again() -> None:
    lookout, now = Lookout(1.5), 0.0
    for _ in range(14):
        look(lookout, now)
        now = lookout.next_at
    look(lookout, now, place(LANE, 1))
    assert lookout.next_at - now <= MIN_PAUSE_SECS


def test_a_hint_is_answered_at_once_and_again_soon() -> None:
    lookout, now = Lookout(1.5), 0.0
    for _ in range(14):
        look(lookout, now)
        now = lookout.next_at
    lookout.hint(now - 1.0)
    assert lookout.next_at == now - 1.0
    look(lookout, now - 1.0)
    assert lookout.next_at - (now - 1.0) <= MIN_PAUSE_SECS


def test_it_sleeps_no_longer_than_until_the_next_job_comes_due() -> None:
    lookout, now = Lookout(60.0), 0.0
    for _ in range(30):
        look(lookout, now)
        now = lookout.next_at
    look(lookout, now, due_secs=0.25)
    assert lookout.next_at == now + 0.25


def test_what_is_due_and_held_by_somebody_is_looked_for_less_and_less() -> None:
    lookout, now, pauses = Lookout(1.5), 0.0, []
    for _ in range(40):
        look(lookout, now)
        now = lookout.next_at
    for _ in range(12):
        look(lookout, now, due_secs=-3.0)
        pauses.append(round(lookout.next_at - now, 6))
        now = lookout.next_at
    assert pauses[:4] == [MIN_PAUSE_SECS * factor for factor in (1, 2, 4, 8)]
    assert 1.0 <= pauses[-1] <= 1.5


def test_in_full_flow_it_sweeps_ten_times_a_second() -> None:
    lookout = Lookout(1.5)
    sweeps = sum(look(lookout, tick / 1000, place(LANE, tick), is_short=False) == {} for tick in range(1000))
    assert sweeps == pytest.approx(10, abs=1)


@pytest.mark.parametrize(("took_secs", "sweep_secs"), [(0.0, SWEEP_SECS), (0.01, 0.5), (5.0, MAX_SWEEP_SECS)])
def test_slow_sweeps_are_made_less_often(took_secs: float, sweep_secs: float) -> None:
    lookout = Lookout(1.5)
    look(lookout, 0.0, place(LANE, 1), is_short=False, took_secs=took_secs)
    assert lookout.marks(took_secs + 0.99 * sweep_secs) != {}
    assert lookout.marks(took_secs + 1.01 * sweep_secs) == {}


def test_a_sweep_forgets_the_marks_of_lanes_it_did_not_see() -> None:
    lookout = Lookout(1.5)
    look(lookout, 0.0, place(LANE, 5), is_short=False)
    look(lookout, 1.0, place(OTHER_LANE, 1), is_short=False)
    assert lookout.marks(1.0) == dict([place(OTHER_LANE, 1)])


def idle(lookout: Lookout, at: float) -> None:
    """Look, find nothing, and be told of something."""
    look(lookout, at)
    lookout.hint(at + 0.5)


def test_a_hint_that_finds_it_idle_leads_to_a_glance_and_then_to_a_look() -> None:
    lookout = Lookout(1.5)
    lookout.hint(0.0)
    assert not lookout.may_glance()  # nobody knows yet what is there
    idle(lookout, 0.0)
    assert lookout.may_glance()
    lookout.glanced(has_found=True, now=0.6)
    assert not lookout.may_glance()
    assert lookout.next_at == 0.6
    assert lookout.marks(0.6) == {}
    assert lookout.empty_at is None


def test_without_a_hint_there_is_no_glance() -> None:
    lookout = Lookout(1.5)
    look(lookout, 0.0)
    assert not lookout.may_glance()
    lookout.look_now(0.5)
    assert lookout.next_at == 0.5
    assert not lookout.may_glance()


def test_after_each_vain_glance_twice_as_many_looks_have_to_find_something() -> None:
    lookout, pauses = Lookout(1.5), []
    for _ in range(3):
        idle(lookout, 0.0)
        lookout.glanced(has_found=False, now=0.0)
        pauses.append(0)
        while not lookout.may_glance():
            look(lookout, 0.0, place(LANE, 1))
            idle(lookout, 0.0)
            pauses[-1] += 1
    assert pauses == [2, 4, 8]
    lookout.glanced(has_found=True, now=0.0)
    idle(lookout, 0.0)
    assert lookout.may_glance()
