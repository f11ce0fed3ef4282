"""The network goes silent, wholly or in part: both ends notice, and what was cut off goes on by itself."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterator

import psycopg
import pytest

from cuckmq import Context, JobState
from tests.reliability.rig import Rig
from tests.reliability.rigs.listening import listening_server
from tests.reliability.rigs.namespace import Namespace, namespace
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually

pytestmark = pytest.mark.as_root


@pytest.fixture
def host() -> Iterator[Namespace]:
    """Another host."""
    with namespace() as made:
        yield made


@pytest.fixture
def dsn(new_cluster: Callable[..., PrivateCluster], host: Namespace) -> str:
    """A server that the other host reaches, by a DSN that says nothing of TCP."""
    return listening_server(new_cluster, host.near)


@pytest.fixture
async def server(rig: Rig) -> AsyncGenerator[psycopg.AsyncConnection]:
    """To ask the server itself, past the network."""
    async with await psycopg.AsyncConnection.connect(rig.dsn, autocommit=True) as connection:
        yield connection


async def sessions_from(server: psycopg.AsyncConnection, host: Namespace) -> dict[int, int]:
    """The sessions that come from the other host: process of the server, and port over there."""
    cursor = await server.execute(
        "select pid, client_port from pg_stat_activity"
        " where client_addr is not null and client_addr <> %s::inet",
        (host.near,),
    )
    return dict(await cursor.fetchall())


@pytest.mark.fault("C1", "C2")
async def test_a_host_falls_off_the_network_in_mid_job(
    rig: Rig, queue: Context, host: Namespace, server: psycopg.AsyncConnection,
    recovered: Callable[[str, float], None],
):  # fmt: skip
    """E13, E14: by a plain DSN. It stops its jobs, they run elsewhere, and the server is rid of it."""
    lonely = await rig.start(inside=host.inside, channels=["there"])
    hang = queue.definitions["hang"]
    handles = [
        await hang.enqueue(0.0, channel="there"),
        await hang.enqueue(0.0, channel="there", job_group="g"),
    ]
    await eventually(lambda: len(rig.log.entries("start")) == 2)
    saviour = await rig.start()

    async def left() -> dict[int, int]:
        return await sessions_from(server, host)

    doomed = set(await left())
    assert doomed
    host.cut()
    cut_at = time.monotonic()
    for handle in handles:
        assert await handle.result(timeout_secs=20) == 2
        first, second = rig.log.entries("start", handle.id)
        assert (first.pid, second.pid) == (lonely.pid, saviour.pid)
        recovered("C1", second.at - cut_at)
        (cancelled,) = rig.log.entries("cancelled", handle.id)
        assert cancelled.pid == lonely.pid
        assert cancelled.at < second.at, "who was cut off stops before another may begin"

    async def is_rid() -> bool:
        return not doomed & set(await left())

    await eventually(is_rid, timeout_secs=30)
    recovered("C2", time.monotonic() - cut_at)
    held = await server.execute(
        "select count(*) from pg_locks where locktype = 'advisory' and pid = any(%s)", ([*doomed],)
    )
    assert await held.fetchone() == (0,)

    host.heal()
    healed_at = time.monotonic()
    again = await queue.definitions["sleep"].enqueue(0.0, channel="there")
    saviour.process.terminate()
    await again.result(timeout_secs=20)
    await saviour.wait()
    last = await queue.definitions["sleep"].enqueue(0.0, channel="there")
    await last.result(timeout_secs=30)
    (start,) = rig.log.entries("start", last.id)
    assert start.pid == lonely.pid
    recovered("C1", start.at - healed_at)
    assert lonely.is_alive
    assert (await queue.jobs.count())[JobState.RUNNING] == 0
