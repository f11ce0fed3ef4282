"""The duty to herald: tell of channels that were destroyed, to those who serve them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cuckmq.context import Context
from cuckmq.events import ChannelDeleted
from cuckmq.log import get_log
from cuckmq.protocol.channels import Destroyed, find_destroyed

_logger = get_log("cuckmq.worker")

HERALD_SECS: Final = 5.0
HEARING_SECS: Final = 60.0


class Herald:
    """Heralds what was destroyed since the last look. A hint hastens the next one; it is soon without hints.

    Args:
        context: whose queue.
        worker: the name of the worker that serves the channels.
        worker_id: its id. Asked each time.
        channel_ids: the channels it serves; None for all. Asked each time.
    """

    name = "herald"

    def __init__(
        self,
        context: Context,
        *,
        worker: str,
        worker_id: Callable[[], int],
        channel_ids: Callable[[], list[int] | None],
    ) -> None:
        self._context = context
        self._worker = worker
        self._worker_id = worker_id
        self._channel_ids = channel_ids
        self._known: set[Destroyed] | None = None

    async def turn(self) -> float:
        """Look, and tell what is new. What was destroyed before the first look is none of ours."""
        found = set(await self._context.database.run(find_destroyed(self._channel_ids())))
        known, self._known = self._known, found
        for channel in sorted(found - known) if known is not None else ():
            _logger.warning("channel %r, which worker %r serves, was destroyed", channel.name, self._worker)
            self._context.events.tell(
                ChannelDeleted(worker_id=self._worker_id(), name=self._worker, channel=channel.name)
            )
        return HEARING_SECS if self._context.listener.is_connected.is_set() else HERALD_SECS

    def trouble(self) -> None:
        """What was known stays so."""
