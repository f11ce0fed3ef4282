"""The name of the server's host comes to mean another address."""

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

HOST = "server.of.the.queue"
OLD, NEW = "127.0.3.1", "127.0.3.2"


@pytest.mark.as_root
@pytest.mark.fault("C10")
async def test_a_name_comes_to_mean_another_address(
    new_cluster: Callable[..., PrivateCluster], tmp_path: Path, recovered: Callable[[str, float], None]
):
    """E35: each connection asks anew for the address, so that who was moved to another server is there."""
    address = own_address()
    dsn = await asyncio.to_thread(listening_server, new_cluster, address)
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{OLD} {HOST}\n")
    # A process that sees a file of ours in the place of /etc/hosts.
    seeing = ["unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(proxy_before(address, 5432, at=(OLD, 0)))
        new = await stack.enter_async_context(proxy_before(address, 5432, at=(NEW, old.port)))
        rig, queue = await stack.enter_async_context(rig_for(dsn, "named", tmp_path))
        worker = await rig.start(
            dsn=make_conninfo(dsn, host=HOST, port=old.port), inside=seeing, poll_secs=1.0
        )
        sleep = queue.definitions["sleep"]
        running = await sleep.enqueue(2.0)
        await eventually(lambda: rig.log.entries("start", running.id))
        assert old.num_accepted > 0 == new.num_accepted
        hosts.write_text(f"{NEW} {HOST}\n")
        # From now on the old address takes a connection and does not say a word.
        await old.let(forward=False, answer=False)
        old.hang_up()
        moved_at = time.monotonic()
        for handle in (await sleep.enqueue(0.0), running):
            await handle.result(timeout_secs=30)
            assert len(rig.log.entries("start", handle.id)) == 1
        recovered("C10", time.monotonic() - moved_at)
        assert new.num_accepted > 0
        assert worker.is_alive
        assert await queue.jobs.find_problems() == []
