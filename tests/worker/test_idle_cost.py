"""What workers ask of the database while there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from cuckmq import Context, Worker
from tests.support.database.private import PrivateCluster
from tests.support.eventually import eventually

NUM_WORKERS = 10
NUM_BEATS = 4


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
        await eventually(lambda: asked(log)[1] >= first + NUM_BEATS * NUM_WORKERS, timeout_secs=30)
        ended, last = asked(log)
        assert ended - began <= 4 * (last - first)


async def test_all_but_one_die_and_it_learns_so_with_its_next_beat(context: Context) -> None:
    """It does not sleep as long as it might with many others there."""
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(Worker(context, heartbeat_secs=0.2)) for _ in range(3)]
        company = workers[0]._presence.company
        await eventually(lambda: company.share(1.0, at_most=100) == 3)
        for worker in workers[1:]:
            await worker.stop()
        await eventually(lambda: company.share(1.0, at_most=100) == 1)
