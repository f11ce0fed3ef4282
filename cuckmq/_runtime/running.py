"""What a worker knows of an attempt: that it runs, and then how it came to its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from cuckmq.attempt import Attempt
from cuckmq.outcome import Outcome


class Ended(NamedTuple):
    """An attempt that came to its end.

    Attributes:
        attempt: which.
        outcome: what to tell the queue; None when there is nothing to tell, since the attempt was
            lost, or has settled itself in its own transaction.
        duration_secs: how long it ran.
        error: what went wrong, if anything.
    """

    attempt: Attempt
    outcome: Outcome | None
    duration_secs: float
    error: BaseException | None = None


@dataclass(slots=True)
class Running:
    """A started attempt, and the task to cancel if it must stop; None for one in a thread.

    Attributes:
        began_at: when, by the monotonic clock.
        is_persistent: whether it has no end to wait for.
    """

    attempt: Attempt
    task: asyncio.Task[None] | None
    began_at: float
    is_persistent: bool = False
