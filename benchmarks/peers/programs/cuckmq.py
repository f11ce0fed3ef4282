"""Ours. By default as it comes; `best` with more at once; `slow` with the fifty at once of slow jobs."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.peers.own_jobs import Payload, bench, context
from benchmarks.peers.program import run
from cuckmq import Worker

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "best": {"concurrency": 50},
    "slow": {"concurrency": 50},
}


class Cuckmq:
    """Our queue as the programs see it."""

    async def install(self) -> None:
        """Make the schema, and make the jobs known."""
        await context.migrate()
        await context.deploy()

    async def open(self) -> None:
        """Connecting happens with the first enqueue."""

    async def put(self, number: int) -> None:
        """Put in one."""
        await bench.enqueue(Payload(n=number))

    async def put_many(self, num: int) -> None:
        """Put in many."""
        await bench.enqueue_many([Payload(n=1)] * num)

    async def work(self, setting: str) -> None:
        """Work."""
        await Worker(context, **SETTINGS[setting]).run()

    async def close(self) -> None:
        """Let go."""
        await context.close()


if __name__ == "__main__":
    run(Cuckmq())
