"""How long a job waits after an error."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cuckmq.backoff import backoff_secs, check_backoff
from cuckmq.errors import ConfigurationError


def test_a_number_is_the_same_wait_each_time() -> None:
    assert [backoff_secs(2.5, errors) for errors in (1, 2, 9)] == [2.5, 2.5, 2.5]
    assert backoff_secs(timedelta(minutes=1), 3) == 60.0


def test_a_function_is_told_how_many_errors_there_were() -> None:
    assert [backoff_secs(lambda errors: 2.0**errors, errors) for errors in (1, 2, 3)] == [2.0, 4.0, 8.0]
    assert backoff_secs(lambda errors: timedelta(seconds=errors), 7) == 7.0


@pytest.mark.parametrize("backoff", ["1", None, True, -1, float("nan")])
def test_what_is_neither_is_refused_where_it_is_written(backoff: Any) -> None:
    with pytest.raises(ConfigurationError, match="backoff"):
        check_backoff(backoff)


@pytest.mark.parametrize("told", ["1", None, -1.0, float("inf")])
def test_a_function_that_tells_no_duration_is_found_out_when_asked(told: Any) -> None:
    assert check_backoff(lambda errors: told)
    with pytest.raises(ConfigurationError, match="backoff"):
        backoff_secs(lambda errors: told, 1)
