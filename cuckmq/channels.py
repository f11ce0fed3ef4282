"""Look at the channels of a queue, pause, limit and empty them, and do away with them."""

from __future__ import annotations

import asyncio
import builtins
import time
from typing import Final

from cuckmq.database.database import Database
from cuckmq.errors import ChannelInUse, ChannelNotFound
from cuckmq.events import ChannelLimited, ChannelPaused, ChannelResumed
from cuckmq.hub import EventHub
from cuckmq.limits import Limits
from cuckmq.protocol.cancel import cancel
from cuckmq.protocol.channels import destroy_channel, purge_channel
from cuckmq.protocol.limits import limit_channel, pause_channel
from cuckmq.protocol.overview import ChannelInfo, find_channels
from cuckmq.types import Secs, as_count, as_secs

PURGE_BATCH_SIZE: Final = 500
LOOK_SECS: Final = 0.05


class Channels:
    """The channels of a context's queue: `context.channels`."""

    def __init__(self, database: Database, events: EventHub) -> None:
        self._database = database
        self._events = events

    async def list(self) -> builtins.list[ChannelInfo]:
        """List the channels, by name, each with its jobs by state.

        A channel is there once a definition, a job or a worker has named it. Counts every entry and all of
        history: for people, not for loops.
        """
        return await self._database.run(find_channels())

    async def get(self, name: str) -> ChannelInfo:
        """Look at one channel. Counts as list() does.

        Raises:
            ChannelNotFound: nobody ever named it, or it was destroyed.
        """
        found = await self._database.run(find_channels(name))
        if not found:
            raise ChannelNotFound(
                f"there is no channel {name!r}: no definition, job or worker has named it; "
                "`await context.channels.list()` tells which there are"
            )
        return found[0]

    async def pause(self, name: str) -> bool:
        """Have no worker claim from a channel until resume(). What runs goes on, and enqueues go on.

        Claims that are under way at this moment may still take from it. Commits. Returns whether the
        channel was not paused before.

        Raises:
            ChannelNotFound: nobody ever named it.
        """
        (has_changed,) = await self._database.run(pause_channel(name, is_paused=True))
        if has_changed:
            self._events.tell(ChannelPaused(name=name))
        return has_changed

    async def resume(self, name: str) -> bool:
        """Have workers claim from a channel again. Commits. Returns whether it was paused.

        Raises:
            ChannelNotFound: nobody ever named it.
        """
        (has_changed,) = await self._database.run(pause_channel(name, is_paused=False))
        if has_changed:
            self._events.tell(ChannelResumed(name=name))
        return has_changed

    async def limit(
        self,
        name: str,
        *,
        concurrency: int | None = None,
        rate: int | None = None,
        rate_secs: Secs = 1.0,
        max_size: int | None = None,
    ) -> None:
        """Limit a channel from now on, over all workers, instead of the limits it had. Commits.

        What is left out is not limited, so `limit(name)` ends all limits. What runs goes on, and counts.
        When a channel that had no limit gets one while there are jobs in it, nothing is taken from it for a
        second, until nobody can be claiming who has not heard of it.

        Args:
            name: of the channel.
            concurrency: how many of its jobs may run at once, claimed ahead included.
            rate: how many of its jobs may be taken by workers within `rate_secs`.
            rate_secs: that span.
            max_size: how many jobs may stand in it: queued or scheduled, not those that run. An enqueue that
                finds no room waits (`wait_secs`), or raises ChannelFull. What schedules put in, what is
                retried and what comes back from lost workers is let in all the same.

        Raises:
            ChannelNotFound: nobody ever named it.
            ConfigurationError: a limit is out of range.
        """
        limits = Limits(concurrency, rate, rate_secs)
        if max_size is not None:
            as_count("max_size", max_size, minimum=1)
        await self._database.run(limit_channel(name, limits, max_size))
        self._events.tell(ChannelLimited(name=name, limits=limits, max_size=max_size))

    async def purge(self, name: str) -> int:
        """Cancel all jobs of a channel that have not started. They are in history, as cancelled.

        What runs goes on. So does what is put in from now on: only what was there at the beginning is
        cancelled, in batches, each committed by itself. A job that someone has in hand at that very moment
        is passed over.

        Returns:
            How many were cancelled.

        Raises:
            ChannelNotFound: nobody ever named that channel.
        """
        num_cancelled, newest_id = 0, None
        while True:
            statement = purge_channel(name, limit=PURGE_BATCH_SIZE, newest_id=newest_id)
            (batch,) = await self._database.run(statement)
            num_cancelled, newest_id = num_cancelled + batch.num_cancelled, batch.newest_id
            if batch.num_cancelled == 0:
                return num_cancelled

    async def destroy(self, name: str, *, timeout_secs: Secs = 30.0) -> None:
        """Do away with a channel: cancel what has not started, ask what runs to stop, and list it no more.

        Returns when it is empty and gone. Its workers are told (ChannelDeleted), and stay ready to serve
        it: whoever names it afterwards, to put something in, to deploy or to serve, makes it anew. Jobs
        that ended there stay in history for their time.

        Args:
            name: of the channel.
            timeout_secs: how long to wait for what runs. Work functions that heed no cancellation take their
                time.

        Raises:
            ChannelNotFound: nobody ever named it, or it is destroyed already.
            ChannelInUse: deployed definitions put their jobs there, and nothing was done; or something
                still ran, or was put in, when the time was up: try again.
        """
        deadline = time.monotonic() + as_secs("timeout_secs", timeout_secs)
        asked: set[int] = set()
        while True:
            (answer,) = await self._database.run(destroy_channel(name))
            if answer.is_destroyed:
                return
            await self.purge(name)
            for job_id in set(answer.running_job_ids) - asked:
                await self._database.run(cancel(job_id))
                asked.add(job_id)
            if time.monotonic() > deadline:
                raise ChannelInUse(
                    f"the channel {name!r} is not empty yet: {len(answer.running_job_ids)} jobs run there, "
                    "and were asked to stop; try again, or evict their workers"
                )
            await asyncio.sleep(LOOK_SECS)
