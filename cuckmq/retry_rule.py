"""Which exceptions may be tried again. Pure vocabulary.

A definition may name the exceptions that are worth another try, and those that never are::

    retry_on=(ConnectionError, TimeoutError)      # these alone
    no_retry_on=(ValidationError,)                # all but these
    retry_on=(OSError,), no_retry_on=(FileNotFoundError,)

A class stands for its subclasses as well, as in `except`. Where both fit, `no_retry_on` wins.

What was raised in another process is known by the names of its classes.
"""

from __future__ import annotations

from typing import TypeAlias

from cuckmq.errors import ConfigurationError
from cuckmq.outcome import Verdict

Exceptions: TypeAlias = tuple[type[BaseException], ...]
"""Exception classes, as `except` takes them."""


def as_exceptions(name: str, value: object) -> Exceptions | None:
    """Read a tuple of exception classes; None when there is none.

    Args:
        name: the option, for the message.
        value: what was given for it.

    Raises:
        ConfigurationError: it is no tuple of exception classes, it is empty, or it names a verdict, which
            says by itself what comes next.
    """
    if value is None:
        return None
    if not isinstance(value, tuple) or not value:
        raise ConfigurationError(
            f"{name} is a tuple of exception classes, as in (ValueError,), not {value!r}"
        )
    for each in value:
        if not isinstance(each, type) or not issubclass(each, BaseException):
            raise ConfigurationError(f"{name} has {each!r}, which is no exception class")
        if issubclass(each, Verdict):
            raise ConfigurationError(f"{name} has {each.__name__}: a verdict says by itself what comes next")
    return value


class RaisedElsewhere(Exception):
    """An exception that was raised in another process.

    Args:
        message: what it said.
        traceback_there: where it came from, in pieces as of traceback.format_exception().
        classes: its class and those above, as class_paths() names them.
    """

    def __init__(self, message: str, traceback_there: list[str], classes: frozenset[str]) -> None:
        super().__init__(message)
        self.traceback_there = traceback_there
        self.classes = classes


def class_paths(kind: type[BaseException]) -> frozenset[str]:
    """Name a class and all above it."""
    return frozenset(_path(each) for each in kind.__mro__)


def may_retry(error: BaseException, retry_on: Exceptions | None, no_retry_on: Exceptions | None) -> bool:
    """Tell whether another try may follow this error, if one is left."""
    if no_retry_on is not None and _is_one_of(error, no_retry_on):
        return False
    return retry_on is None or _is_one_of(error, retry_on)


def _is_one_of(error: BaseException, kinds: Exceptions) -> bool:
    if isinstance(error, RaisedElsewhere):
        return not error.classes.isdisjoint(_path(each) for each in kinds)
    return isinstance(error, kinds)


def _path(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
