"""The jobs of ours that are measured: the same sixteen bytes, by each way that a function can be run."""

from __future__ import annotations

import asyncio
import functools
import os
from typing import Final

from pydantic import BaseModel

from benchmarks.peers.program import Marks
from cuckmq import Context

SCHEMA: Final = "_bench"
SLOW_SECS: Final = 0.1

context = Context(os.environ.get("BENCH_DSN", ""), schema=SCHEMA)


@functools.cache
def marks() -> Marks:
    """Return where this process marks; opened when the first job runs."""
    return Marks()


class Payload(BaseModel):
    """What every queue's jobs carry here."""

    n: int


@context.job(name="bench")
async def bench(payload: Payload) -> None:
    """Mark, on the event loop."""
    marks().add(payload.n)


@context.job(name="bench_thread")
def bench_thread(payload: Payload) -> None:
    """Mark, in a thread."""
    marks().add(payload.n)


@context.job(name="bench_process", executor="process")
def bench_process(payload: Payload) -> None:
    """Mark, in a process of its own."""
    marks().add(payload.n)


@context.job(name="bench_slow")
async def bench_slow(payload: Payload) -> None:
    """Take a while."""
    marks().add(payload.n)
    await asyncio.sleep(SLOW_SECS)
