"""Look at the channels of a queue."""

from __future__ import annotations

from cuckmq.database.database import Database
from cuckmq.errors import ChannelNotFound
from cuckmq.protocol.overview import ChannelInfo, find_channels


class Channels:
    """The channels of a context's queue: `context.channels`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[ChannelInfo]:
        """List the channels, by name, each with its jobs by state.

        A channel is there once a definition, a job or a worker has named it. Counts every entry and all of
        history: for people, not for loops.
        """
        return await self._database.run(find_channels())

    async def get(self, name: str) -> ChannelInfo:
        """Look at one channel. Counts as list() does.

        Raises:
            ChannelNotFound: nobody ever named it.
        """
        found = await self._database.run(find_channels(name))
        if not found:
            raise ChannelNotFound(
                f"there is no channel {name!r}: no definition, job or worker has named it; "
                "`await context.channels.list()` tells which there are"
            )
        return found[0]
