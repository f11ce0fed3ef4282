"""Limits: how many jobs at once, and how many within a span of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cuckmq.errors import ConfigurationError
from cuckmq.types import Secs, as_count, as_secs

MAX_RATE_SECS: Final = 1e7


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be taken from a channel, or of a definition, by all workers together.

    `Limits(concurrency=3)`: no more than three run at once. `Limits(rate=100, rate_secs=60)`: no more than
    a hundred are taken by workers within any sixty seconds, by the database's clock. Both may be given;
    `Limits()` is none.

    Attributes:
        concurrency: how many may run at once, claimed ahead included; None for no limit.
        rate: how many may be taken within `rate_secs`; None for no limit.
        rate_secs: the span, in seconds or as a timedelta.

    Raises:
        ConfigurationError: a limit is out of range.
    """

    concurrency: int | None = None
    rate: int | None = None
    rate_secs: Secs = 1.0

    def __post_init__(self) -> None:
        for name in ("concurrency", "rate"):
            value = getattr(self, name)
            if value is not None:
                as_count(name, value, minimum=1)
        secs = as_secs("rate_secs", self.rate_secs, minimum=0.001)
        if secs > MAX_RATE_SECS:
            raise ConfigurationError(f"rate_secs is {secs:g}: allowed are up to {MAX_RATE_SECS:g}")
        object.__setattr__(self, "rate_secs", secs)

    @property
    def span_secs(self) -> float | None:
        """The span of the rate in seconds, or None without a rate."""
        return None if self.rate is None else as_secs("rate_secs", self.rate_secs)


def check_limits(value: object) -> Limits | None:
    """Check the option of this name.

    Raises:
        ConfigurationError: it is no Limits.
    """
    if value is None or isinstance(value, Limits):
        return value
    raise ConfigurationError(f"limits is Limits(concurrency=..., rate=..., rate_secs=...), not {value!r}")
