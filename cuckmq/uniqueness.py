"""Unique keys: who may not be put in twice, for how long, and what a duplicate is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from cuckmq.errors import ConfigurationError
from cuckmq.names import check_unique_key
from cuckmq.protocol.enqueue import Keys
from cuckmq.types import Secs, as_secs

UniqueScope: TypeAlias = Literal["queued", "live", "kept", "for"]
"""How long a job holds its key.

`queued`: until a worker takes it. `live`: until it has ended. `kept`: as long as it is known, history
included. `for`: `unique_for_secs` from its enqueue, whatever became of it.
"""

OnDuplicate: TypeAlias = Literal["return", "raise"]
"""What is done about a duplicate: the job that is there is returned, or DuplicateJob is raised."""

UniqueKey: TypeAlias = str | Callable[[Any], str | None]
"""A key, or a function from the payload to one; it may say None for a payload that needs none."""

MIN_UNIQUE_SECS: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniqueness:
    """What was said of unique keys. None is what was not said.

    Attributes:
        key: of the jobs.
        scope: how long each holds it.
        for_secs: the time of scope `for`.
        on_duplicate: what is done about duplicates.
    """

    key: UniqueKey | None = None
    scope: UniqueScope | None = None
    for_secs: float | None = None
    on_duplicate: OnDuplicate | None = None

    def over(self, other: Uniqueness) -> Uniqueness:
        """Say what this says, and otherwise what the other does."""
        if self is NOTHING_SAID:
            return other
        return Uniqueness(
            key=self.key or other.key,
            scope=self.scope or other.scope,
            for_secs=other.for_secs if self.for_secs is None else self.for_secs,
            on_duplicate=self.on_duplicate or other.on_duplicate,
        )

    def fixed_key(self) -> str | None:
        """The key, if it hangs on no payload."""
        return self.key if isinstance(self.key, str) else None

    def keys_of(self, payloads: Sequence[Any]) -> Keys | None:
        """Find the key of each payload; None where there are none to find.

        Raises:
            ConfigurationError: the scope or the answer to duplicates has no key to go with.
            InvalidName: a function gave what cannot be a key.
        """
        if self.key is None:
            if self is not NOTHING_SAID and self != NOTHING_SAID:
                raise ConfigurationError(
                    "unique_scope, unique_for_secs and on_duplicate say how a unique_key is meant: give one"
                )
            return None
        return Keys(
            keys=[self._key_of(payload) for payload in payloads],
            scope=self.scope,
            for_secs=self.for_secs,
            is_duplicate_refused=None if self.on_duplicate is None else self.on_duplicate == "raise",
        )

    def _key_of(self, payload: Any) -> str | None:
        key = self.key(payload) if callable(self.key) else self.key
        return None if key is None else check_unique_key(key)


NOTHING_SAID: Final = Uniqueness()


def read_uniqueness(
    *,
    unique_key: UniqueKey | None = None,
    unique_scope: UniqueScope | None = None,
    unique_for_secs: Secs | None = None,
    on_duplicate: OnDuplicate | None = None,
) -> Uniqueness:
    """Check what is said of unique keys. `unique_for_secs` alone means scope `for`.

    Raises:
        ConfigurationError: one of them is no such thing, or two do not go together.
        InvalidName: the key is empty, too long or unprintable.
    """
    if unique_scope is not None and unique_scope not in get_args(UniqueScope):
        raise ConfigurationError(
            f"{unique_scope!r} is no unique_scope: take one of {', '.join(get_args(UniqueScope))}"
        )
    if on_duplicate is not None and on_duplicate not in get_args(OnDuplicate):
        raise ConfigurationError(f"on_duplicate is 'return' or 'raise', not {on_duplicate!r}")
    if unique_for_secs is None and unique_scope == "for":
        raise ConfigurationError("unique_scope='for' needs to know how long: give unique_for_secs")
    if unique_for_secs is not None and unique_scope not in (None, "for"):
        raise ConfigurationError(f"give unique_for_secs or unique_scope={unique_scope!r}, not both")
    return Uniqueness(
        key=unique_key if unique_key is None or callable(unique_key) else check_unique_key(unique_key),
        scope=unique_scope if unique_for_secs is None else "for",
        for_secs=(
            None
            if unique_for_secs is None
            else as_secs("unique_for_secs", unique_for_secs, minimum=MIN_UNIQUE_SECS)
        ),
        on_duplicate=on_duplicate,
    )
