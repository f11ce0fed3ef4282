"""When something repeats, without a database and without a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cuckmq.errors import ConfigurationError
from cuckmq.recurrence import MAX_MISSED, Missed, Recurrence, check_recurrence

FORWARD = datetime(2026, 3, 28, 23, 50, tzinfo=UTC)  # before the night in which Berlin has no 2:30
BACK = datetime(2026, 10, 24, 22, 50, tzinfo=UTC)  # before the night in which Berlin has 2:30 twice


def slots(cron: str, after: datetime, number: int) -> list[str]:
    found, recurrence = [], Recurrence(None, cron, "Europe/Berlin")
    for _ in range(number):
        after = recurrence.next_after(after)
        found.append(f"{after:%d %H:%M}")
    return found


@pytest.mark.fault("E4")
def test_an_hour_that_does_not_exist() -> None:
    """D7: a fixed time in it runs at the jump, once; what runs by the minute or hour just goes on."""
    assert slots("30 2 * * *", FORWARD, 3) == ["29 01:00", "30 00:30", "31 00:30"]
    assert slots("*/30 * * * *", FORWARD, 4) == ["29 00:00", "29 00:30", "29 01:00", "29 01:30"]
    assert slots("0 * * * *", FORWARD, 3) == ["29 00:00", "29 01:00", "29 02:00"]


@pytest.mark.fault("E4")
def test_an_hour_that_comes_twice() -> None:
    """D7: a fixed time in it runs once, in the first; what runs by the minute or hour runs in both."""
    assert slots("30 2 * * *", BACK, 3) == ["25 00:30", "26 01:30", "27 01:30"]
    assert slots("*/30 * * * *", BACK, 5) == ["24 23:00", "24 23:30", "25 00:00", "25 00:30", "25 01:00"]
    assert slots("0 * * * *", BACK, 4) == ["24 23:00", "25 00:00", "25 01:00", "25 02:00"]


def test_a_fixed_time_is_not_found_again_in_the_second_of_two_hours() -> None:
    """D7: looked for in the second 2:10 of that night, 2:30 is over."""
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert slots("30 2 * * *", second, 1) == ["26 01:30"]


@pytest.mark.parametrize("start", [FORWARD, BACK])
@pytest.mark.parametrize("cron", ["30 2 * * *", "*/30 * * * *", "0 1-4 * * 0"])
def test_looking_back_finds_what_looking_forward_found(cron: str, start: datetime) -> None:
    """D7: on both days."""
    recurrence = Recurrence(None, cron, "Europe/Berlin")
    forward = [recurrence.next_after(start)]
    for _ in range(20):
        forward.append(recurrence.next_after(forward[-1]))
    found, next_at = recurrence.due(forward[0], forward[-1], "all")
    assert found == forward
    assert next_at == recurrence.next_after(forward[-1])


@pytest.mark.parametrize("recurrence", [Recurrence(600.0), Recurrence(None, "*/10 * * * *")])
@pytest.mark.parametrize(
    ("missed", "late_secs", "served"),
    [
        ("one", 5, [0]),
        ("one", 3605, [0]),
        ("skip", 5, [0]),
        ("skip", 3605, [6]),
        ("skip", 3605 + 300, []),
        ("all", 5, [0]),
        ("all", 3605, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_what_was_missed(recurrence: Recurrence, missed: Missed, late_secs: int, served: list[int]) -> None:
    """D7: one for all, the latest if it is on time, or each; and the rhythm stays what it was."""
    first = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    now = first + timedelta(seconds=late_secs)
    found, next_at = recurrence.due(first, now, missed)
    assert found == [first + timedelta(minutes=10) * place for place in served]
    assert next_at == first + timedelta(minutes=10) * (late_secs // 600 + 1)


@pytest.mark.parametrize("recurrence", [Recurrence(60.0), Recurrence(None, "* * * * *")])
def test_what_is_made_up_for_is_bounded(recurrence: Recurrence) -> None:
    """D7: the latest ones, and in no time, however long the pause was."""
    first = datetime(2006, 5, 1, 12, 0, tzinfo=UTC)
    now = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
    found, _ = recurrence.due(first, now, "all")
    assert len(found) == MAX_MISSED
    assert found[-1] == now - timedelta(seconds=30)
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("repeat_secs", "cron", "timezone", "told"),
    [
        (5.0, "* * * * *", "UTC", "not both"),
        (5.0, None, "Europe/Berlin", "goes with cron"),
        (None, "* * * *", "UTC", "cannot be read"),
        (None, "61 * * * *", "UTC", "cannot be read"),
        (None, 5, "UTC", "expression such as"),
        (None, "* * * * *", "Europe/Nowhere", "no time zone"),
        (None, "* * * * *", "../../etc/passwd", "no time zone"),
        (None, "* * * * *", None, "a name such as"),
        (None, "0 0 31 2 *", "UTC", "cron"),
    ],
)
def test_rhythms_that_cannot_be(repeat_secs: float | None, cron: object, timezone: object, told: str) -> None:
    """D7: refused where they are written."""
    with pytest.raises(ConfigurationError, match=told):
        check_recurrence(repeat_secs, cron, timezone)
