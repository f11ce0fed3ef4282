"""What of an error may be told: a function of the program's own looks at each text first.

Work functions raise errors that quote what they work on. What they say is kept with the job, told in events
and logged, to be read by people who may not read payloads. So a context may name a function that is given
the name of the job and the text, and gives back what may be told::

    Context(redact=lambda name, text: re.sub(r"[0-9]{13,16}", "****", text))

A function that fails has not said that anything may be told. So nothing is, and neither is its own error,
which may quote the text in its turn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from cuckmq.errors import ConfigurationError
from cuckmq.log import get_log

_logger = get_log("cuckmq.worker")

Redact: TypeAlias = Callable[[str, str], str]
"""From the name of a job and a text about an error of it to what may be told of that text."""

WITHHELD: Final = "(withheld, since the redact function failed)"


class Redaction:
    """What a context says of texts about errors.

    Args:
        redact: the function; None to tell all.

    Raises:
        ConfigurationError: it cannot be called, or is async.
    """

    def __init__(self, redact: Redact | None) -> None:
        if redact is not None and not _is_plain(redact):
            raise ConfigurationError(
                "redact is a plain function of a job's name and a text that returns what may be told of it, "
                f"not {redact!r}"
            )
        self._redact = redact

    def of(self, name: str) -> Callable[[str], str]:
        """Give what is to be asked about texts of a job of this name. It never raises."""
        return partial(self._tell, name)

    def _tell(self, name: str, text: str) -> str:
        if self._redact is None or not text:
            return text
        try:
            told: object = self._redact(name, text)
        except BaseException as error:  # noqa: BLE001 - it may raise anything, and nothing may come of it
            return _withhold(name, type(error).__qualname__)
        return told if isinstance(told, str) else _withhold(name, "no text came back")


def _is_plain(function: object) -> bool:
    return callable(function) and not inspect.iscoroutinefunction(function)


def _withhold(name: str, why: str) -> str:
    _logger.error("redact failed on an error of job %s (%s), which is withheld", name, why)
    return WITHHELD
