"""Which exceptions may be tried again. Pure vocabulary.

A definition may name the exceptions that are worth another try, and those that never are::

    retry_on=(ConnectionError, TimeoutError)      # these alone
    no_retry_on=(ValidationError,)                # all but these
    retry_on=(OSError,), no_retry_on=(FileNotFoundError,)

A class stands for its subclasses as well, as in `except`. Where both fit, `no_retry_on` wins.
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


def may_retry(error: BaseException, retry_on: Exceptions | None, no_retry_on: Exceptions | None) -> bool:
    """Tell whether another try may follow this error, if one is left."""
    if no_retry_on is not None and isinstance(error, no_retry_on):
        return False
    return retry_on is None or isinstance(error, retry_on)
