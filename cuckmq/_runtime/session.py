"""A worker's session with the queue: its connection, and its name in the book of workers.

A connection that breaks is made anew under the same worker id; a worker that was taken for dead is
registered anew under another. Who it is and where it looks is therefore kept here, and not in the
database alone.

Nothing said here waits for ever (see database/fuse.py). The heart cuts the connection, too, when no beat gets
through; but beats may go another way, and while there is no worker, there are none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, TypeVar

import psycopg

from cuckmq._runtime.habits import Habits
from cuckmq.context import Context
from cuckmq.database.connect import connect, is_direct
from cuckmq.database.fuse import Fuse
from cuckmq.database.migrate import check_schema
from cuckmq.database.run import run
from cuckmq.protocol import workers
from cuckmq.protocol.statement import Statement

RowT = TypeVar("RowT")


class Session:
    """Connects, registers, and runs what the dispatcher has to say.

    Args:
        context: whose queue.
        habits: of the worker.
        on_registered: told of each new worker id.

    Attributes:
        worker_id: of this incarnation; 0 while there is none.
        channel_ids: the channels served; None for all.
        num_recalls: how often this incarnation has asked for a recall. An exchange that comes late, after one
            that it does not know of, fails.
    """

    def __init__(self, context: Context, habits: Habits, *, on_registered: Callable[[int], None]) -> None:
        self._context = context
        self._habits = habits
        self._channels = None if habits.channels is None else list(habits.channels)
        self._on_registered = on_registered
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._fuse = Fuse()
        self.worker_id = 0
        self.channel_ids: list[int] | None = None
        self.num_recalls = 0

    async def open(self) -> bool:
        """Connect and register, as far as either is needed. Tells whether the worker is a new one."""
        if self._connection is None:
            await self._connect()
        if self.worker_id:
            return False
        await self._register()
        return True

    def is_serving(self, channels: list[str] | None) -> bool:
        """Whether the queue has been told of these channels."""
        return self._channels == channels

    async def serve(self, channels: list[str]) -> list[int]:
        """Serve other channels. Returns the ids of their lanes."""
        (serving,) = await self.run(workers.serve(self.worker_id, channels))
        self._channels, self.channel_ids = channels, serving.channel_ids
        return serving.lane_ids

    async def recall(self, kept_job_ids: list[int]) -> list[int]:
        """Put back what the queue holds for this worker beside these jobs. Returns what was put back."""
        self.num_recalls += 1
        (put_back,) = await self.run(workers.recall(self.worker_id, kept_job_ids, self.num_recalls))
        return put_back

    async def run(self, statement: Statement[RowT]) -> list[RowT]:
        """Run one statement, in a transaction of its own."""
        if self._connection is None:
            raise psycopg.OperationalError("not connected")
        with self._fuse.on(self._connection):
            return await run(self._connection, statement, self._context.schema)

    async def retire(self) -> None:
        """Put back what is still held, and take leave of the queue, if it knows this worker.

        From here on the worker has no id: a beat that still comes finds it gone, and must not take that for
        a loss.
        """
        worker_id, self.worker_id = self.worker_id, 0
        if not worker_id:
            return
        if self._connection is None or self._connection.broken:
            await self._connect()
        await self.run(workers.retire_worker(worker_id))

    async def disconnect(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()

    def lose(self, *, is_cut_off: bool) -> None:
        """Have no worker any more. One that is cut off waits for no answer: it would be about that worker."""
        self.worker_id = 0
        if is_cut_off:
            self.cut_off()

    def cut_off(self) -> None:
        """Wait for no answer any more: who does gets an error at once."""
        self._fuse.cut()

    async def _connect(self) -> None:
        dsn = await asyncio.to_thread(lambda: self._context.database.dsn)
        connection = await connect(dsn)
        try:
            with self._fuse.on(connection):
                await check_schema(connection, self._context.schema)
                if is_direct(connection):
                    # A claimed job has two times. In a zone of the system's database each costs 1 us more to
                    # read and to reckon with, also if that is Etc/UTC.
                    await connection.execute(b"set timezone to 'UTC'")
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def _register(self) -> None:
        (registration,) = await self.run(
            workers.register_worker(
                name=self._habits.name,
                host=socket.gethostname(),
                pid=os.getpid(),
                version=version("cuckmq"),
                concurrency=self._habits.concurrency,
                channels=self._channels,
                lease_secs=self._habits.lease_secs,
            )
        )
        self.worker_id, self.channel_ids = registration
        self.num_recalls = 0
        self._on_registered(self.worker_id)
