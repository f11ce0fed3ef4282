"""pgqueuer, with asyncpg. Best: batches of 500 on a pool of connections, as its manual's benchmark."""

from __future__ import annotations

import json

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.peers.program import Marks, payload, run

CHUNK = 5000


class Pgqueuer:
    """pgqueuer as the programs see it."""

    async def install(self) -> None:
        """Make its tables."""
        await self.open()
        await self._queries.install()

    async def open(self) -> None:
        """Connect."""
        self._connection = await asyncpg.connect()
        self._queries = Queries(AsyncpgDriver(self._connection))

    async def put(self, number: int) -> None:
        """Put in one."""
        await self._queries.enqueue("bench", payload(number).encode())

    async def put_many(self, num: int) -> None:
        """Put in many, by arrays."""
        for at in range(0, num, CHUNK):
            size = min(CHUNK, num - at)
            await self._queries.enqueue(["bench"] * size, [payload(1).encode()] * size, [0] * size)

    async def work(self, setting: str) -> None:
        """Work."""
        marks = Marks()
        if setting == "best":
            pool = await asyncpg.create_pool(min_size=2, max_size=5)
            pgq = PgQueuer.from_asyncpg_pool(pool)
        else:
            pgq = PgQueuer.from_asyncpg_connection(await asyncpg.connect())

        @pgq.entrypoint("bench")
        async def bench(job: Job) -> None:
            marks.add(number_of(job.payload))

        await (pgq.run(batch_size=500) if setting == "best" else pgq.run())

    async def close(self) -> None:
        """Let go."""
        await self._connection.close()


def number_of(text: bytes | None) -> int:
    """Read the payload, as any handler would."""
    return int(json.loads(text or b"{}")["n"])


if __name__ == "__main__":
    run(Pgqueuer())
