"""What workers ask of the database while there is nothing to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from cuckmq import Context, Worker
from tests.support.database.private import PrivateCluster
from tests.support.eventually import eventually

NUM_WORKERS = 10
NUM_BEATS = 4
NUM_JOBS = 40


def exchanges(log: Path) -> int:
    """How often workers have asked for jobs, by the server's own log."""
    text = log.read_text("utf-8", errors="replace")
    return text.count(".exchange(") + text.count(".claim_one(")


def asked(log: Path) -> tuple[int, int]:
    """How many statements the server was asked, by its own log, and how many of them were beats."""
    text = log.read_text("utf-8", errors="replace")
    return text.count("LOG:  execute ") + text.count("LOG:  statement: "), text.count(".heartbeat(")


async def test_idle_workers_share_what_any_can_do(new_cluster: Callable[..., PrivateCluster]) -> None:
    """Together they ask little more than one would alone, but for their beats.

    The time is told by the beats themselves, of which each worker sends two in five seconds. Before workers
    shared, there were nine other statements to a beat.
    """
    cluster = new_cluster(settings={"log_statement": "all"})
    log = cluster.server._home.log
    async with Context(cluster.dsn) as context, AsyncExitStack() as stack:
        await context.migrate()
        workers = []
        for _ in range(NUM_WORKERS):
            own = await stack.enter_async_context(Context(cluster.dsn))
            workers.append(await stack.enter_async_context(Worker(own)))
        for worker in workers:
            company = worker._presence.company
            await eventually(lambda company=company: company.share(1.0, at_most=100) == NUM_WORKERS)

        # Duties that were begun when each was alone come once more before they learn of the others.
        _, before = asked(log)
        await eventually(lambda: asked(log)[1] >= before + 2 * NUM_WORKERS, timeout_secs=20)
        began, first = asked(log)
        looked = exchanges(log)
        await eventually(lambda: asked(log)[1] >= first + NUM_BEATS * NUM_WORKERS, timeout_secs=30)
        ended, last = asked(log)
        assert ended - began <= 4 * (last - first)
        assert exchanges(log) - looked <= 0.8 * (last - first)  # in time for a beat they looked once before


async def test_one_speaks_for_all_who_listen(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """E24: each word wakes all of them at the server, so ten that each said theirs would cost a hundred.

    They all begin at the same moment, and would all speak again a second later: ten words in each.
    """
    monkeypatch.setattr("cuckmq.database.listen.PING_SECS", 1.0)
    dsn, channel = context.database.dsn, f"cuckmq.{context.schema}"
    async with AsyncExitStack() as stack:
        for _ in range(NUM_WORKERS):
            own = await stack.enter_async_context(Context(dsn, schema=context.schema))
            stack.callback(own.listener.subscribe(lambda hint: None))
            await own.listener.is_connected.wait()
        connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        await stack.enter_async_context(connection)
        await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        began_at, num_heard = time.monotonic(), 0
        async for notification in connection.notifies(timeout=30, stop_after=12):
            num_heard += notification.payload == "ping"
        assert num_heard == 12
        assert time.monotonic() - began_at > 2.5


@pytest.mark.fault("H4")
async def test_a_job_makes_nobody_look_often(new_cluster: Callable[..., PrivateCluster]) -> None:
    """E24: ten workers hear of each of forty jobs, put in one by one, and ask no more than is worth it."""
    cluster = new_cluster(settings={"log_statement": "all"})
    log = cluster.server._home.log
    async with Context(cluster.dsn) as context, AsyncExitStack() as stack:
        await context.migrate()

        @context.job(name="echo")
        async def echo(payload: int) -> int:
            return payload

        await context.deploy()
        for _ in range(NUM_WORKERS):
            await stack.enter_async_context(Worker(context, concurrency=1))
        await context.listener.is_connected.wait()
        before = exchanges(log)
        for number in range(NUM_JOBS):
            assert await (await echo.enqueue(number)).result(timeout_secs=10) == number
        assert exchanges(log) - before <= 4 * NUM_JOBS * NUM_WORKERS


async def test_all_but_one_die_and_it_learns_so_with_its_next_beat(context: Context) -> None:
    """It does not sleep as long as it might with many others there."""
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(Worker(context, heartbeat_secs=0.2)) for _ in range(3)]
        company = workers[0]._presence.company
        await eventually(lambda: company.share(1.0, at_most=100) == 3)
        for worker in workers[1:]:
            await worker.stop()
        await eventually(lambda: company.share(1.0, at_most=100) == 1)
