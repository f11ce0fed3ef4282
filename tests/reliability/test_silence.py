"""What stands between keeps the connections up and passes nothing on, while beats go another way.

No TCP limit of ours strikes, and no lease ends: who waits for an answer must give up by himself.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import AsyncGenerator, Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cuckmq import Context
from tests.reliability.rig import Rig
from tests.reliability.rigs.listening import listening_server
from tests.reliability.rigs.proxy import Proxy, proxy_before
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually

LEASE_SECS = 4.0

#: The server's port is fixed; an address of its own keeps it from meeting others on the loopback.
ADDRESS = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(1, 250)}"


@pytest.fixture
def dsn(new_cluster: Callable[..., PrivateCluster]) -> str:
    """A server that listens for TCP."""
    return listening_server(new_cluster, ADDRESS)


@pytest.fixture
async def proxy() -> AsyncGenerator[Proxy]:
    async with proxy_before(ADDRESS, 5432) as made:
        yield made


@pytest.mark.fault("D7")
async def test_duties_and_claims_go_on(
    rig: Rig, queue: Context, proxy: Proxy, dsn: str, recovered: Callable[[str, float], None]
):
    """E35: a worker whose connections fell silent, but for its heart, rescues and claims again."""
    between = make_conninfo(dsn, host="127.0.0.1", port=proxy.port)
    other = await rig.start(lease_secs=LEASE_SECS, heartbeat_secs=1.0)
    lost = await queue.definitions["hang"].enqueue(0.0)
    await eventually(lambda: rig.log.entries("start", lost.id))
    worker = await rig.start(dsn=between, listen_dsn=dsn, lease_secs=LEASE_SECS, heartbeat_secs=1.0)
    proxy.forget()
    silent_at = time.monotonic()
    other.send(signal.SIGKILL)
    await other.wait()
    await lost.result(timeout_secs=60)
    recovered("D7", time.monotonic() - silent_at)
    (entry,) = [each for each in rig.log.entries("start", lost.id) if each.attempt == 2]
    assert entry.pid == worker.pid
    assert rig.log.entries("lost") == []
    assert [each.id for each in await queue.workers.list()].count(worker.worker_id) == 1


@pytest.mark.fault("D7")
@pytest.mark.parametrize("daemon", ["worker", "orchestrator"])
async def test_who_is_told_to_end_does(rig: Rig, queue: Context, proxy: Proxy, dsn: str, daemon: str):
    """SIGTERM while statements hang; what they wait for is not waited for, nor is the server asked."""
    between = make_conninfo(dsn, host="127.0.0.1", port=proxy.port)
    ending = await rig.start(dsn=between, listen_dsn=dsn, daemon=daemon)
    await eventually(lambda: _has_rescued(dsn))
    proxy.forget()
    await eventually(lambda: proxy.num_unheard >= 1)
    told_at = time.monotonic()
    ending.send(signal.SIGTERM)
    assert await ending.wait(30) == 0
    assert time.monotonic() - told_at < 9


async def _has_rescued(dsn: str) -> bool:
    """Whether a duty has asked, and its connection lies in the pool."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute(
            "select 1 from pg_stat_activity where state = 'idle' and query ~ 'rescue'"
        )
        return await cursor.fetchone() is not None
