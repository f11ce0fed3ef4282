"""Subscribe to events, publish them, read them. See subscribe.sql and publish_events.sql."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from cuckmq.protocol.statement import Statement, only

SUBSCRIBE: Final = "select * from {schema}.subscribe(%s::bigint, %s::text[], %s::float8)"
UNSUBSCRIBE: Final = "select {schema}.unsubscribe(%s)"
SUBSCRIBED: Final = "select s.kinds from {schema}.subscription s where s.expires_at > clock_timestamp()"
PUBLISH: Final = "select {schema}.publish_events(%s::text[], %s::text[])::text"
READ: Final = """
    select e.id, e.kind, e.body::text, e.published_at < clock_timestamp() - interval '10 seconds'
    from {schema}.event e
    where e.id > %s and (%s::text[] is null or e.kind = any(%s::text[])) order by e.id limit %s
"""


class Subscribed(NamedTuple):
    """The subscription, and the last event that there was when it was made or renewed."""

    subscription_id: int
    last_event_id: int


class Published(NamedTuple):
    """An event as it was laid down; and whether any with a lower number must be there by now."""

    id: int
    kind: str
    body: str
    is_settled: bool


def subscribe(subscription_id: int | None, kinds: Sequence[str] | None, secs: float) -> Statement[Subscribed]:
    """Begin or renew a subscription; one row."""
    return Statement(
        SUBSCRIBE, (subscription_id, None if kinds is None else list(kinds), secs), Subscribed._make
    )


def unsubscribe(subscription_id: int) -> Statement[int]:
    """End a subscription."""
    return Statement(UNSUBSCRIBE, (subscription_id,), only)


def find_subscribed() -> Statement[list[str] | None]:
    """Find what is subscribed to; a row for each subscription, of its kinds, or None for all."""
    return Statement(SUBSCRIBED, (), only)


def publish_events(kinds: Sequence[str], bodies: Sequence[str]) -> Statement[str]:
    """Lay events down, each as its kind and its JSON text."""
    return Statement(PUBLISH, (list(kinds), list(bodies)), only)


def read_events(after_id: int, kinds: Sequence[str] | None, limit: int) -> Statement[Published]:
    """Read events of these kinds, so many at most, in the order of their numbers."""
    wanted = None if kinds is None else list(kinds)
    return Statement(READ, (after_id, wanted, wanted, limit), Published._make)
