"""What a worker sets up for its work functions: entered at its start, left at its end.

The set-up comes before the first claim, so that no job meets half of it, and the tear-down after the last
job, so that none loses it under way. A set-up that fails is the caller's to hear of: start() raises it.
A tear-down that fails changes nothing any more: it is logged.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from cuckmq.context import Context
from cuckmq.errors import ConfigurationError
from cuckmq.log import get_log
from cuckmq.worker_state import NO_STATE

_logger = get_log("cuckmq.worker")


class OwnState:
    """The state of one worker.

    Args:
        context: tells how it is made.

    Attributes:
        value: what work functions get as `attempt.state`.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stack = AsyncExitStack()
        self.value: Any = NO_STATE

    async def set_up(self) -> None:
        """Make it, if the context says how.

        Raises:
            ConfigurationError: what the context names gives no async context manager.
            BaseException: whatever the set-up raises.
        """
        make = self._context.worker_state
        if make is None:
            return
        manager: Any = make()
        if not hasattr(type(manager), "__aenter__") or not hasattr(type(manager), "__aexit__"):
            raise ConfigurationError(
                f"worker_state gave {manager!r}, which is no async context manager: "
                "write it with @contextlib.asynccontextmanager, and yield the state"
            )
        self.value = await self._stack.enter_async_context(manager)

    async def tear_down(self) -> None:
        """Leave it. Nothing happens if it was not set up, or was left before."""
        self.value = NO_STATE
        try:
            await self._stack.aclose()
        except Exception:
            _logger.exception("the state of this worker could not be torn down")
