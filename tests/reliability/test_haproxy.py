"""Through HAProxy: the way to the server falls silent, and there is another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tests.reliability.rig import rig_for
from tests.reliability.rigs.listening import listening_server, own_address
from tests.reliability.rigs.proxy import proxy_before
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually
from tests.support.haproxy import haproxy

LEASE_SECS = 6.0
TOLD_SECS = 12.0
"""How soon all is well when those who are connected are told that their way is lost."""


@pytest.mark.fault("D6")
@pytest.mark.parametrize(
    "is_shutting_sessions",
    [pytest.param(True, id="told"), pytest.param(False, id="left-hanging")],
)
async def test_the_way_to_the_server_falls_silent(
    new_cluster: Callable[..., PrivateCluster], tmp_path: Path, recovered: Callable[[str, float], None],
    is_shutting_sessions: bool,
):  # fmt: skip
    """E35: a worker goes the other way, whether its connections are ended or, worse, left to hang."""
    address = own_address()
    dsn = await asyncio.to_thread(listening_server, new_cluster, address)
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(proxy_before(address, 5432)) for _ in range(2)]
        between = haproxy(
            [first.port, second.port], tmp_path / "haproxy", is_shutting_sessions=is_shutting_sessions
        )
        port = await asyncio.to_thread(stack.enter_context, between)
        rig, queue = await stack.enter_async_context(rig_for(dsn, "through", tmp_path))
        through = make_conninfo(dsn, host="127.0.0.1", port=port)
        worker = await rig.start(dsn=through, lease_secs=LEASE_SECS, heartbeat_secs=1.5, poll_secs=1.0)
        running = await queue.definitions["sleep"].enqueue(3.0)
        await eventually(lambda: rig.log.entries("start", running.id))
        num_before = second.num_accepted
        await first.let(forward=False, answer=False)
        silent_at = time.monotonic()
        waiting = await queue.definitions["plain"].enqueue(1)
        for handle in (waiting, running):
            await handle.result(timeout_secs=60)
        secs = time.monotonic() - silent_at
        recovered("D6", secs)
        assert secs < TOLD_SECS or not is_shutting_sessions
        assert second.num_accepted > num_before
        assert worker.is_alive
        assert len(rig.log.entries("start", waiting.id)) == 1
        assert await queue.jobs.find_problems() == []
