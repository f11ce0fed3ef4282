"""How long a job waits after an error."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from cuckmq import Constant, Exponential, Linear, Quadratic
from cuckmq.backoff import Strategy, backoff_secs, check_backoff
from cuckmq.errors import ConfigurationError

GROWING = [Linear, Quadratic, Exponential]
STRATEGIES = [Constant, *GROWING]


def test_a_number_is_the_same_wait_each_time() -> None:
    assert [backoff_secs(2.5, errors) for errors in (1, 2, 9)] == [2.5, 2.5, 2.5]
    assert backoff_secs(timedelta(minutes=1), 3) == 60.0


def test_a_function_is_told_how_many_errors_there_were() -> None:
    assert [backoff_secs(lambda errors: 2.0**errors, errors) for errors in (1, 2, 3)] == [2.0, 4.0, 8.0]
    assert backoff_secs(lambda errors: timedelta(seconds=errors), 7) == 7.0


@pytest.mark.parametrize(
    ("strategy", "waits"),
    [
        (Constant(5), [5, 5, 5, 5]),
        (Linear(5), [5, 10, 15, 20]),
        (Linear(timedelta(minutes=1), max_secs=timedelta(minutes=2)), [60, 120, 120, 120]),
        (Quadratic(2), [2, 8, 18, 32]),
        (Exponential(3), [3, 6, 12, 24]),
        (Exponential(1, factor=10, max_secs=500), [1, 10, 100, 500]),
        (Exponential(0.5, factor=1.5), [0.5, 0.75, 1.125, 1.6875]),
    ],
)
def test_a_strategy_is_a_function_from_errors_to_a_wait(strategy: Strategy, waits: list[float]) -> None:
    """F3: constant, linear, quadratic, exponential, each from its first wait on."""
    assert check_backoff(strategy) is strategy
    assert [backoff_secs(strategy, errors) for errors in (1, 2, 3, 4)] == waits


@pytest.mark.parametrize("strategy", GROWING)
def test_no_number_of_errors_leads_beyond_the_longest_wait(strategy: type[Strategy]) -> None:
    """F3: a job without a limit of tries comes here; 2 to the 2000th is no float."""
    assert [strategy(10)(errors) for errors in (10_000, 2_147_483_647)] == [86_400.0] * 2
    assert strategy(10, max_secs=60)(2_147_483_647) == 60.0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_jitter_only_shortens_and_by_no_more_than_its_share(strategy: type[Strategy]) -> None:
    """F3: a share of each wait is left to chance."""
    whole = strategy(100)(3)
    waits = [strategy(100, jitter=0.25)(3) for _ in range(1_000)]
    assert all(0.75 * whole <= wait <= whole for wait in waits)
    assert min(waits) < 0.8 * whole < 0.95 * whole < max(waits)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_is_a_value(strategy: type[Strategy]) -> None:
    """F3: equal when it waits equally, frozen, and it says what it is."""
    one, same, other = strategy(5, jitter=0.5), strategy(timedelta(seconds=5), jitter=0.5), strategy(6)
    assert one == same != other
    assert len({one, same, other}) == 2
    assert repr(one).startswith(f"{strategy.__name__}(base_secs=5.0, ")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.base_secs = 6.0  # type: ignore[misc]


def test_strategies_of_two_kinds_are_never_equal() -> None:
    assert len({Linear(5), Quadratic(5), Exponential(5), Exponential(5, factor=3)}) == 4


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"base_secs": 0}, "base_secs of {} is 0: allowed are 0.001 to"),
        ({"base_secs": "5"}, "base_secs of {} is a number of seconds or a timedelta, not '5'"),
        ({"base_secs": float("nan")}, "base_secs of {} is nan"),
        ({"base_secs": 5, "jitter": 1.1}, "jitter of {} is 1.1: allowed are 0 to 1"),
        ({"base_secs": 5, "jitter": -0.1}, "jitter of {} is -0.1"),
        ({"base_secs": 5, "jitter": True}, "jitter of {} is a number, not True"),
        ({"base_secs": 5, "jitter": float("nan")}, "jitter of {} is nan"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused_where_it_is_written(
    strategy: type[Strategy], arguments: dict[str, Any], complaint: str
) -> None:
    """F3: at construction."""
    with pytest.raises(ConfigurationError, match=complaint.format(strategy.__name__)):
        strategy(**arguments)


@pytest.mark.parametrize("strategy", GROWING)
def test_the_longest_wait_is_no_shorter_than_the_first(strategy: type[Strategy]) -> None:
    with pytest.raises(ConfigurationError, match=f"max_secs of {strategy.__name__} is 5: allowed are 6 to"):
        strategy(6, max_secs=5)


@pytest.mark.parametrize("factor", [0.9, -2, float("inf"), float("nan"), "2", True])
def test_a_factor_makes_no_wait_shorter(factor: Any) -> None:
    with pytest.raises(ConfigurationError, match="factor of Exponential is"):
        Exponential(1, factor=factor)


@pytest.mark.parametrize("backoff", ["1", None, True, -1, float("nan")])
def test_what_is_neither_is_refused_where_it_is_written(backoff: Any) -> None:
    with pytest.raises(ConfigurationError, match="backoff"):
        check_backoff(backoff)


@pytest.mark.parametrize("told", ["1", None, -1.0, float("inf")])
def test_a_function_that_tells_no_duration_is_found_out_when_asked(told: Any) -> None:
    assert check_backoff(lambda errors: told)
    with pytest.raises(ConfigurationError, match="backoff"):
        backoff_secs(lambda errors: told, 1)
