"""procrastinate. Best: fifty at once, and jobs deleted when done."""

from __future__ import annotations

import procrastinate

from benchmarks.peers.program import Marks, run

CHUNK = 5000
app = procrastinate.App(connector=procrastinate.PsycopgConnector())


@app.task(name="bench")
async def bench(n: int) -> None:
    """Mark."""
    Procrastinate.marks.add(n)


class Procrastinate:
    """procrastinate as the programs see it."""

    marks: Marks

    async def install(self) -> None:
        """Make its tables."""
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def open(self) -> None:
        """Connect."""
        await app.open_async()

    async def put(self, number: int) -> None:
        """Put in one."""
        await bench.defer_async(n=number)

    async def put_many(self, num: int) -> None:
        """Put in many, by arrays."""
        for at in range(0, num, CHUNK):
            await bench.batch_defer_async(*[{"n": 1}] * min(CHUNK, num - at))

    async def work(self, setting: str) -> None:
        """Work."""
        Procrastinate.marks = Marks()
        options = {"concurrency": 50, "delete_jobs": "always"} if setting == "best" else {}
        async with app.open_async():
            await app.run_worker_async(**options)

    async def close(self) -> None:
        """Let go."""
        await app.close_async()


if __name__ == "__main__":
    run(Procrastinate())
