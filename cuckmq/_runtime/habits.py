"""How a worker behaves towards the queue: what it is called, where it looks, how often it shows itself."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cuckmq.errors import ConfigurationError
from cuckmq.names import check_name
from cuckmq.types import Secs, as_count, as_secs


@dataclass(frozen=True)
class Habits:
    """Of a worker, or of a puller, which to the queue is one.

    Attributes:
        name: for people.
        channels: which to serve when it begins; None for all.
        concurrency: how many jobs may be in hand.
        poll_secs: how often to look when nothing is going on.
        beat_secs: how often to tell the queue that it lives.
        lease_secs: how long the queue waits for that.
        idle_secs: how long idleness must have lasted to be told.
    """

    name: str
    channels: list[str] | None
    concurrency: int
    poll_secs: float
    beat_secs: float
    lease_secs: float
    idle_secs: float

    @classmethod
    def checked(
        cls,
        *,
        name: str | None,
        channels: Sequence[str] | None,
        concurrency: int,
        poll_secs: Secs,
        heartbeat_secs: Secs,
        lease_secs: Secs,
        idle_secs: Secs,
    ) -> Self:
        """Check what a user asks for. Without a name it is the host's.

        Raises:
            ConfigurationError: an option is wrong.
        """
        if isinstance(channels, str):
            raise ConfigurationError(f'channels is a list of names: write ["{channels}"]')
        if channels is not None and not isinstance(channels, Sequence):
            raise ConfigurationError(f"channels is a list of names, not {channels!r}")
        habits = cls(
            name=check_name("worker", name if name is not None else socket.gethostname()[:200]),
            channels=None if channels is None else [check_name("channel", each) for each in channels],
            concurrency=as_count("concurrency", concurrency, minimum=1, maximum=10_000),
            poll_secs=as_secs("poll_secs", poll_secs, minimum=0.01),
            beat_secs=as_secs("heartbeat_secs", heartbeat_secs, minimum=0.05),
            lease_secs=as_secs("lease_secs", lease_secs, minimum=0.2),
            idle_secs=as_secs("idle_secs", idle_secs),
        )
        if habits.lease_secs < 2 * habits.beat_secs:
            raise ConfigurationError(
                f"lease_secs is {habits.lease_secs:g}, less than two heartbeats of {habits.beat_secs:g}: "
                "one late beat would cost the worker its jobs"
            )
        return habits
