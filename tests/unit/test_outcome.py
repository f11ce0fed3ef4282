"""Verdicts: what a work function may say in place of a result."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cuckmq import Cancel, CuckmqError, Fail, Retry, Snooze
from cuckmq.errors import ConfigurationError
from cuckmq.outcome import Verdict


def test_a_verdict_can_be_raised_as_well_as_returned() -> None:
    with pytest.raises(Verdict) as caught:
        raise Snooze(5)
    assert isinstance(caught.value, Snooze)
    assert caught.value.delay_secs == 5.0


def test_a_verdict_is_no_error_of_our_family() -> None:
    assert not issubclass(Verdict, CuckmqError)


@pytest.mark.parametrize(("delay", "secs"), [(0, 0.0), (1.5, 1.5), (timedelta(hours=1), 3600.0)])
def test_snooze_and_retry_take_a_duration(delay: Any, secs: float) -> None:
    assert Snooze(delay).delay_secs == secs
    assert Retry(delay).after_secs == secs


@pytest.mark.parametrize("verdict", [Snooze, Retry])
@pytest.mark.parametrize("delay", [-1, float("inf"), "5", True, None])
def test_snooze_and_retry_refuse_what_is_none(verdict: type[Snooze | Retry], delay: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{verdict.__name__} is"):
        verdict(delay)


def test_a_retry_says_its_reason_or_its_wait() -> None:
    assert str(Retry(90)) == "to be tried again after 90 s"
    assert str(Retry(90, "429 Too Many Requests")) == "429 Too Many Requests"
    assert Retry(90).reason == ""


@pytest.mark.parametrize("verdict", [Cancel, Fail])
def test_a_reason_is_kept_for_people(verdict: type[Cancel | Fail]) -> None:
    assert verdict("card declined").reason == "card declined"
    assert str(verdict("card declined")) == "card declined"
    assert verdict().reason == ""
