"""Empty a channel, destroy it, hear of it. See purge_channel.sql and destroy_channel.sql."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from cuckmq.protocol.statement import Statement

PURGE: Final = "select * from {schema}.purge_channel(%s, %s::integer, %s::bigint)"
DESTROY: Final = "select * from {schema}.destroy_channel(%s)"
DESTROYED: Final = """
    select c.name, c.destroyed_at from {schema}.channel c
    where c.destroyed_at is not null and (%s::integer[] is null or c.id = any(%s::integer[]))
"""


class Purged(NamedTuple):
    """How many jobs were cancelled, and the newest that the whole purge may touch."""

    num_cancelled: int
    newest_id: int


class Destruction(NamedTuple):
    """Whether the channel is destroyed; if not, the jobs that run there."""

    is_destroyed: bool
    running_job_ids: list[int]


class Destroyed(NamedTuple):
    """A channel that was destroyed, and when."""

    name: str
    destroyed_at: datetime


def purge_channel(name: str, *, limit: int, newest_id: int | None) -> Statement[Purged]:
    """Cancel jobs of a channel that have not started; one row."""
    return Statement(PURGE, (name, limit, newest_id), Purged._make)


def destroy_channel(name: str) -> Statement[Destruction]:
    """Destroy a channel if nothing is left in it; one row."""
    return Statement(DESTROY, (name,), Destruction._make)


def find_destroyed(channel_ids: list[int] | None) -> Statement[Destroyed]:
    """Find which of these channels (None for all) were destroyed and not named since."""
    return Statement(DESTROYED, (channel_ids, channel_ids), Destroyed._make)
