"""How long a job waits after an error before its next try. Pure arithmetic, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from cuckmq.types import Secs, as_secs

Backoff: TypeAlias = Secs | Callable[[int], Secs]
"""The same wait each time, or a function from the number of errors so far (1, 2, ...) to a wait."""

DEFAULT_BACKOFF_SECS: Final = 10.0


def check_backoff(backoff: Backoff) -> Backoff:
    """Refuse a backoff that cannot be one.

    Raises:
        ConfigurationError: neither a duration nor a function.
    """
    return backoff if callable(backoff) else as_secs("backoff", backoff)


def backoff_secs(backoff: Backoff, num_errors: int) -> float:
    """Tell the wait after the given number of errors.

    Raises:
        ConfigurationError: the function gave something that is no duration.
    """
    return as_secs("backoff", backoff(num_errors) if callable(backoff) else backoff)
