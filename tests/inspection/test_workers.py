"""context.workers: who runs, and who no longer does."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

import cuckmq.errors
from cuckmq import Context, Worker
from tests.support.queue import Queue


async def test_a_worker_is_listed_while_it_runs(context: Context) -> None:
    """H5: with who it is, what it serves and what it has in hand."""
    started, go_on = asyncio.Event(), asyncio.Event()

    @context.job(name="HOLD", channel="mail")
    async def hold() -> None:
        started.set()
        await go_on.wait()

    await hold.deploy()
    assert await context.workers.list() == []
    async with (
        Worker(context, name="w1", concurrency=3, channels=["mail"]),
        Worker(context, channels=["sms"]),
    ):
        handle = await hold.enqueue()
        await started.wait()
        first, second = await context.workers.list()
        assert (first.name, first.host, first.pid) == ("w1", socket.gethostname(), os.getpid())
        assert (first.concurrency, first.channels, first.num_running) == (3, ("mail",), 1)
        assert (second.channels, second.num_running) == (("sms",), 0)
        assert first.is_alive
        assert first.version
        assert first.started_at <= first.heartbeat_at
        assert first.id == (await handle.get()).worker_id
        assert (await context.workers.get(second.id)).id == second.id
        go_on.set()
        await handle.result(timeout_secs=10)
    assert await context.workers.list() == []
    with pytest.raises(cuckmq.errors.WorkerNotFound, match=rf"no worker {first.id}: .*workers\.list"):
        await context.workers.get(first.id)


async def test_a_worker_that_serves_all_channels(context: Context) -> None:
    """H5: has None for its channels."""
    async with Worker(context):
        (worker,) = await context.workers.list()
        assert worker.channels is None


async def test_a_worker_whose_lease_is_over_is_not_alive(context: Context, dsn: str) -> None:
    """H5: it is listed until it is rescued, and said to be dead."""
    with Queue(dsn, context.schema) as queue:
        living, dead = queue.eye.register(), queue.eye.register()
        queue.silence(dead)
        assert {each.id: each.is_alive for each in await context.workers.list()} == {
            living: True,
            dead: False,
        }
        queue.eye.rescue()
        assert [each.id for each in await context.workers.list()] == [living]


async def test_a_wrong_id_is_a_lookup_error_of_the_family(context: Context) -> None:
    """H5: so that either word catches it."""
    with pytest.raises(LookupError) as caught:
        await context.workers.get(7)
    assert isinstance(caught.value, cuckmq.CuckmqError)
