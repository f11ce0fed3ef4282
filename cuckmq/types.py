"""Small shared vocabulary: durations and how they are given."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from cuckmq.errors import ConfigurationError

Secs: TypeAlias = float | timedelta
"""A duration: a number of seconds, or a timedelta."""

UNLIMITED: Final = 2_147_483_647
"""How the database writes "no limit" where Python says None."""

MAX_DELAY_SECS: Final = 1e10


def as_secs(name: str, value: object, *, minimum: float = 0.0) -> float:
    """Read a duration, refusing what is none.

    Args:
        name: the option, for the message.
        value: seconds, or a timedelta.
        minimum: the least that is allowed.

    Raises:
        ConfigurationError: not a number, not finite, or below the minimum.
    """
    secs = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(secs, bool) or not isinstance(secs, (int, float)):
        raise ConfigurationError(f"{name} is a number of seconds or a timedelta, not {value!r}")
    if not minimum <= secs <= MAX_DELAY_SECS:  # a NaN is not, either
        raise ConfigurationError(f"{name} is {value!r}: allowed are {minimum:g} to 1e10 seconds")
    return float(secs)


def as_optional_secs(name: str, value: object, *, minimum: float = 0.0) -> float | None:
    """Read a duration that may be left out, which None says. Else as as_secs()."""
    return None if value is None else as_secs(name, value, minimum=minimum)


def as_number(name: str, value: object, *, minimum: float, maximum: float) -> float:
    """Read a number within bounds.

    Raises:
        ConfigurationError: not a number, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(f"{name} is a number, not {value!r}")
    if not minimum <= value <= maximum:  # a NaN is not, either
        raise ConfigurationError(f"{name} is {value!r}: allowed are {minimum:g} to {maximum:g}")
    return float(value)


def as_limit(name: str, value: object, *, minimum: int) -> int:
    """Read a limit, where None means that there is none.

    Raises:
        ConfigurationError: not a whole number, or below the minimum.
    """
    if value is None:
        return UNLIMITED
    return as_count(name, value, minimum=minimum)


def as_count(name: str, value: object, *, minimum: int, maximum: int = UNLIMITED) -> int:
    """Read a whole number within bounds.

    Raises:
        ConfigurationError: not a whole number, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"{name} is a whole number, not {value!r}")
    if not minimum <= value <= maximum:
        raise ConfigurationError(f"{name} is {value}: allowed are {minimum} to {maximum}")
    return value


def as_moment(name: str, value: object) -> datetime:
    """Read a moment in time, refusing one without a time zone.

    Raises:
        ConfigurationError: not a datetime, or a naive one, which means another moment on every host.
    """
    if not isinstance(value, datetime):
        raise ConfigurationError(f"{name} is a datetime, not {value!r}")
    if value.utcoffset() is None:
        raise ConfigurationError(
            f"{name} {value!r} has no time zone: say which, as in datetime.now(timezone.utc)"
        )
    if not 1 < value.year < 9999:
        raise ConfigurationError(f"{name} {value!r} is out of range")
    return value
