"""Durations, counts and moments, and what is refused as one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cuckmq.errors import ConfigurationError
from cuckmq.types import UNLIMITED, as_count, as_limit, as_moment, as_secs


@pytest.mark.parametrize(
    ("value", "secs"),
    [(0, 0.0), (1, 1.0), (0.5, 0.5), (timedelta(minutes=2), 120.0), (1e10, 1e10), (timedelta(0), 0.0)],
)
def test_a_duration_is_seconds_or_a_timedelta(value: object, secs: float) -> None:
    read = as_secs("delay_secs", value)
    assert read == secs
    assert type(read) is float


@pytest.mark.parametrize("value", [True, False, "5", None, 1 + 2j, [], datetime.now(UTC)])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="delay_secs is a number of seconds or a timedelta"):
        as_secs("delay_secs", value)


@pytest.mark.parametrize(
    "value",
    [-1, -0.001, float("nan"), float("inf"), float("-inf"), 1.1e10, 10**400, timedelta(-1), timedelta.max],
)
def test_a_duration_out_of_bounds_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"delay_secs is .*: allowed are 0 to 1e10 seconds"):
        as_secs("delay_secs", value)


def test_the_least_duration_is_said() -> None:
    with pytest.raises(ConfigurationError, match=r"repeat_secs is 0\.05: allowed are 0\.1 to 1e10"):
        as_secs("repeat_secs", 0.05, minimum=0.1)


def test_none_is_no_limit() -> None:
    assert as_limit("num_attempts", None, minimum=1) == UNLIMITED
    assert as_limit("num_attempts", 4, minimum=1) == 4


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_a_count_is_a_whole_number(value: object) -> None:
    with pytest.raises(ConfigurationError, match="priority is a whole number, not"):
        as_count("priority", value, minimum=0)


@pytest.mark.parametrize("value", [0, -1, UNLIMITED + 1])
def test_a_count_has_bounds(value: int) -> None:
    with pytest.raises(ConfigurationError, match=f"num_attempts is {value}: allowed are 1 to {UNLIMITED}"):
        as_count("num_attempts", value, minimum=1)


def test_a_moment_keeps_its_zone() -> None:
    moment = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    assert as_moment("run_at", moment) is moment


def test_a_naive_moment_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"has no time zone: say which, as in datetime\.now"):
        as_moment("run_at", datetime(2030, 1, 1))  # noqa: DTZ001 - the mistake under test


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_moment_at_the_rim_of_the_calendar_is_refused(moment: datetime) -> None:
    with pytest.raises(ConfigurationError, match="out of range"):
        as_moment("run_at", moment)


@pytest.mark.parametrize("value", ["2030-01-01", 0, None, datetime.now(UTC).date()])
def test_what_is_no_datetime_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="run_at is a datetime, not"):
        as_moment("run_at", value)
