"""The duty to feed: lay down the events of this process for those who subscribed elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cuckmq.context import Context
from cuckmq.database.listen import Hint
from cuckmq.event_text import to_text
from cuckmq.events import Event
from cuckmq.protocol.feed import find_subscribed, publish_events

LOOK_SECS: Final = 5.0
FLUSH_SECS: Final = 0.1
MAX_HELD: Final = 10_000


class Feeder:
    """Looks every few seconds whether somebody has subscribed; while somebody has, publishes what he wants.

    Events are gathered and laid down ten times a second. Of more than ten thousand that could not be laid
    down so far, the oldest are dropped.

    Args:
        context: whose events and queue.
        hasten: has the next turn come at once.
    """

    name = "feed"

    def __init__(self, context: Context, hasten: Callable[[], None]) -> None:
        self._context = context
        self._hasten = hasten
        self._kinds: frozenset[str] | None = frozenset()
        self._held: list[Event] = []
        self._num_turns = 0
        self._is_told = False
        self._leave: Callable[[], None] | None = None

    def on_hint(self, hint: Hint) -> None:
        """Somebody has subscribed."""
        if hint[0] == "subscribed":
            self._is_told = True
            self._hasten()

    async def turn(self) -> float:
        """Lay down what is held, and look for subscriptions when it is time."""
        await self._flush()
        is_feeding = self._leave is not None
        if self._is_told or not is_feeding or self._num_turns % round(LOOK_SECS / FLUSH_SECS) == 0:
            self._is_told = False
            await self._look()
        self._num_turns += 1
        return FLUSH_SECS if self._leave is not None else LOOK_SECS

    def trouble(self) -> None:
        """What is held is tried again."""

    def stop(self) -> None:
        """Hear of nothing more."""
        if self._leave is not None:
            self._leave()
            self._leave = None

    async def finish(self) -> None:
        """Lay down the last."""
        self.stop()
        await self._flush()

    async def _look(self) -> None:
        subscribed = await self._context.database.run(find_subscribed())
        if not subscribed:
            self.stop()
            return
        named = [kinds for kinds in subscribed if kinds is not None]
        self._kinds = frozenset().union(*named) if len(named) == len(subscribed) else None
        if self._leave is None:
            self._leave = self._context.events.add(self._hold)

    def _hold(self, event: Event) -> None:
        if self._kinds is None or type(event).__name__ in self._kinds:
            self._held.append(event)
            if len(self._held) > MAX_HELD:
                del self._held[: MAX_HELD // 10]

    async def _flush(self) -> None:
        held, self._held = self._held, []
        if held:
            try:
                kinds = [type(event).__name__ for event in held]
                await self._context.database.run(publish_events(kinds, [to_text(event) for event in held]))
            except BaseException:
                self._held[:0] = held
                raise
