"""Which jobs are asked for: states, payloads and pages, checked and written as the database wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cuckmq.errors import ConfigurationError, InvalidPayload
from cuckmq.payload import CodecError
from cuckmq.state import JobState

ANY: Final[Any] = object()
"""Stands for a payload that is not asked for, since None is a payload too."""
MAX_PAGE: Final = 10_000


def as_payload(payload: Any, name: str | None, definitions: Mapping[str, Any]) -> str | None:
    """Write a payload that is looked for, just as it was written when it was put in.

    Args:
        payload: as given to enqueue(), or plain JSON values without a definition of that name; or ANY.
        name: of the definition, if one is named.
        definitions: those that there are, by name.

    Raises:
        InvalidPayload: no job of that definition can have such a payload.
    """
    if payload is ANY:
        return None
    definition = None if name is None else definitions.get(name)
    try:
        text: str = json.dumps(payload) if definition is None else definition.payload_codec.encode(payload)
    except (CodecError, TypeError, ValueError) as error:
        raise InvalidPayload(f"no job {name!r} has such a payload: {error}") from None
    return text


def as_state(state: object) -> str:
    """Read a state, which may be given by its name.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return JobState(state).value  # type: ignore[arg-type]  # refused if it is none
    except ValueError:
        known = ", ".join(each.value for each in JobState)
        raise ConfigurationError(f"{state!r} is no state of a job: take one of {known}") from None


def as_page(limit: object) -> int:
    """Read the size of a page.

    Raises:
        ConfigurationError: it is none.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_PAGE:
        raise ConfigurationError(f"limit is a whole number from 1 to {MAX_PAGE:,}, not {limit!r}")
    return limit
