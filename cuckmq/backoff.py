"""How long a job waits after an error before its next try. Pure arithmetic, in seconds.

A backoff is a duration; or a function from the number of errors so far (1, 2, ...) to one; or a
strategy, which is such a function as a value::

    Constant(10)                              # 10, 10, 10, ...
    Linear(10)                                # 10, 20, 30, ...
    Quadratic(10)                             # 10, 40, 90, ...
    Exponential(10, factor=3, max_secs=600)   # 10, 30, 90, 270, 600, 600, ...
    Exponential(10, jitter=0.5)               # 5 to 10, 10 to 20, 20 to 40, ...
"""

from __future__ import annotations

import inspect
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cuckmq.errors import ConfigurationError
from cuckmq.types import Secs, as_number, as_secs

Backoff: TypeAlias = Secs | Callable[[int], Secs]
"""The same wait each time, or a function from the number of errors so far (1, 2, ...) to a wait."""

DEFAULT_BACKOFF_SECS: Final = 10.0
DEFAULT_MAX_SECS: Final = 86_400.0
MIN_BASE_SECS: Final = 0.001


@dataclass(frozen=True, init=False)
class Strategy(ABC):
    """What all strategies have in common: their first wait, their longest, and chance.

    Args:
        base_secs: the wait after the first error; at least a millisecond.
        max_secs: the longest wait; a day if not said.
        jitter: which share of a wait, 0 to 1, is left to chance, so that jobs that failed together do
            not come back together. It only shortens.

    Raises:
        ConfigurationError: one of them is no duration or no share, or the first wait is the longer one.
    """

    base_secs: float
    max_secs: float
    jitter: float

    def __init__(self, base_secs: Secs, *, max_secs: Secs = DEFAULT_MAX_SECS, jitter: float = 0.0) -> None:
        name = type(self).__name__
        base = as_secs(f"base_secs of {name}", base_secs, minimum=MIN_BASE_SECS)
        self._keep("base_secs", base)
        self._keep("max_secs", as_secs(f"max_secs of {name}", max_secs, minimum=base))
        self._keep("jitter", as_number(f"jitter of {name}", jitter, minimum=0.0, maximum=1.0))

    def __call__(self, num_errors: int) -> float:
        """Tell the wait in seconds after so many errors."""
        try:
            secs = min(self.base_secs * self._grown(num_errors), self.max_secs)
        except OverflowError:
            secs = self.max_secs
        return secs * (1.0 - self.jitter * random.random())  # noqa: S311 - jitter

    @abstractmethod
    def _grown(self, num_errors: int) -> float:
        """Tell how many times the first wait it is."""

    def _keep(self, name: str, value: float) -> None:
        object.__setattr__(self, name, value)


class Constant(Strategy):
    """The same wait after each error: what a plain number is too, but for the jitter."""

    def __init__(self, base_secs: Secs, *, jitter: float = 0.0) -> None:
        super().__init__(base_secs, max_secs=base_secs, jitter=jitter)

    def _grown(self, num_errors: int) -> float:
        return 1.0


class Linear(Strategy):
    """A wait that grows by the first one with each error: 1, 2, 3, ... times as long."""

    def _grown(self, num_errors: int) -> float:
        return float(num_errors)


class Quadratic(Strategy):
    """A wait that grows with the square of the number of errors: 1, 4, 9, ... times as long."""

    def _grown(self, num_errors: int) -> float:
        return float(num_errors) ** 2


@dataclass(frozen=True, init=False)
class Exponential(Strategy):
    """A wait that is multiplied with each error: 1, 2, 4, ... times as long.

    Args:
        base_secs: as for the others, as are max_secs and jitter.
        factor: by how much it is multiplied; at least 1.
    """

    factor: float

    def __init__(
        self,
        base_secs: Secs,
        *,
        factor: float = 2.0,
        max_secs: Secs = DEFAULT_MAX_SECS,
        jitter: float = 0.0,
    ) -> None:
        super().__init__(base_secs, max_secs=max_secs, jitter=jitter)
        self._keep("factor", as_number("factor of Exponential", factor, minimum=1.0, maximum=1e6))

    def _grown(self, num_errors: int) -> float:
        return self.factor ** (num_errors - 1)


def check_backoff(backoff: Backoff) -> Backoff:
    """Refuse a backoff that cannot be one.

    Raises:
        ConfigurationError: neither a duration nor a function; or a class, or an async function, which can
            be called but tell no duration.
    """
    if isinstance(backoff, type):
        raise ConfigurationError(
            f"backoff is the class {backoff.__name__}: give a value, as in Exponential(base_secs=10)"
        )
    if inspect.iscoroutinefunction(backoff):
        raise ConfigurationError("backoff is an async function: nobody awaits it, so write it with `def`")
    return backoff if callable(backoff) else as_secs("backoff", backoff)


def backoff_secs(backoff: Backoff, num_errors: int) -> float:
    """Tell the wait after the given number of errors.

    Raises:
        ConfigurationError: the function gave something that is no duration.
    """
    return as_secs("backoff", backoff(num_errors) if callable(backoff) else backoff)
