"""A program that fails beside its worker ends with its error; it does not hang in asyncio.run()."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from cuckmq import Context

PROGRAM = """
import asyncio, sys
from cuckmq import Context, Worker

context = Context(sys.argv[1], schema=sys.argv[2])
begun = asyncio.Event()

@context.job(name="long")
async def long(payload: None) -> None:
    begun.set()
    await asyncio.sleep(60)

async def main():
    await context.migrate()
    await context.deploy()
    await Worker(context).start()
    if sys.argv[3] == "busy":
        await long.enqueue()
        await begun.wait()
    # A pool that is about to connect swallows its cancellation by itself; that is not what this is about.
    while not is_at_rest((await context.database._open()).get_stats()):
        await asyncio.sleep(0.02)
        context.database._spare.rest()
    raise RuntimeError("the program's own error")

def is_at_rest(stats):
    return stats["pool_size"] == stats["pool_available"] and not stats.get("requests_waiting")

asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["idle", "busy"])
async def test_a_program_that_fails_takes_its_worker_along(context: Context, dsn: str, what: str):
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", PROGRAM, dsn, context.schema, what],
        capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert "the program's own error" in ended.stderr
