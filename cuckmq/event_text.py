"""Events as JSON text, and back, for those who hear of them in another process."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from cuckmq import events
from cuckmq.errors import ConfigurationError
from cuckmq.events import Event

KINDS: Final[dict[str, type[Event]]] = {
    name: kind for name, kind in inspect.getmembers(events, inspect.isclass) if issubclass(kind, Event)
}
"""Every class of event by its name, which is what it is called in the database."""


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind])


def to_text(event: Event) -> str:
    """Write an event as JSON text."""
    return _adapter(type(event).__name__).dump_json(event).decode()


def from_text(kind: str, text: str) -> Event | None:
    """Read an event; None for one that this version does not know, or knows in another shape."""
    if kind not in KINDS:
        return None
    try:
        event: Event = _adapter(kind).validate_json(text)
    except ValidationError:
        return None
    return event


def kinds_of(wanted: Iterable[object]) -> list[str] | None:
    """Name the kinds of events that are wanted, with those that are special cases of them; None for all.

    Raises:
        ConfigurationError: one is no class of event.
    """
    names: list[str] = []
    for each in wanted:
        if not (inspect.isclass(each) and issubclass(each, Event)):
            raise ConfigurationError(f"subscribe takes classes of cuckmq.events, not {each!r}")
        if each is Event:
            return None
        names += [name for name, kind in KINDS.items() if issubclass(kind, each)]
    return sorted(set(names)) or None
