"""The network goes silent, wholly or in part: both ends notice, and what was cut off goes on by itself."""

from __future__ import annotations

import asyncio
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


@pytest.mark.fault("C5")
@pytest.mark.full
async def test_the_answer_to_a_settlement_is_lost(
    rig: Rig, queue: Context, host: Namespace, server: psycopg.AsyncConnection,
    recovered: Callable[[str, float], None],
):  # fmt: skip
    """E13, E35: what reaches the server counts, though who said it never hears so; it runs once."""
    deaf = await rig.start(inside=host.inside, channels=["there"])
    sleep = queue.definitions["sleep"]
    done = await sleep.enqueue(0.5, channel="there")
    cut = await sleep.enqueue(60.0, channel="there", num_stalls=0)
    await eventually(lambda: len(rig.log.entries("start")) == 2)

    async def is_settling() -> bool:
        cursor = await server.execute(
            "select from pg_stat_activity where wait_event_type = 'Lock' and client_addr <> %s::inet",
            (host.near,),
        )
        return await cursor.fetchone() is not None

    async with await psycopg.AsyncConnection.connect(rig.dsn) as holder:
        await holder.execute(f'select from "{rig.schema}".running where job_id = {done.id} for update')
        await eventually(is_settling)
        host.deafen()
    assert await done.result(timeout_secs=20) == 1

    async def has_no_session() -> bool:
        return not await sessions_from(server, host)

    await eventually(has_no_session, timeout_secs=30)
    host.heal()
    healed_at = time.monotonic()
    again = await sleep.enqueue(0.0, channel="there")
    await again.result(timeout_secs=30)
    recovered("C5", rig.log.entries("start", again.id)[0].at - healed_at)
    assert rig.log.entries("start", again.id)[0].pid == deaf.pid
    assert [entry.attempt for entry in rig.log.entries("start", done.id)] == [1]

    async def is_stalled() -> bool:
        return (await cut.get()).reason == "stalled"

    await eventually(is_stalled)


@pytest.mark.fault("C3")
@pytest.mark.full
async def test_a_listener_is_deaf(
    rig: Rig, queue: Context, host: Namespace, server: psycopg.AsyncConnection,
    recovered: Callable[[str, float], None],
):  # fmt: skip
    """G7: hints are lost, and jobs begin within the poll interval; then there is another listener."""
    await rig.start(inside=host.inside, channels=["there"], poll_secs=1.0)

    async def find_listener() -> int | None:
        cursor = await server.execute(
            "select client_port from pg_stat_activity"
            " where client_addr <> %s::inet and query like '%%pg_notify%%''ping''%%'",
            (host.near,),
        )
        row = await cursor.fetchone()
        return None if row is None else row[0]

    port = await eventually(find_listener)
    assert port is not None
    host.cut_flow(port)
    cut_at = time.monotonic()

    async def is_replaced() -> bool:
        found = await find_listener()
        return found is not None and found != port

    plain = queue.definitions["plain"]
    while not await is_replaced():
        put_at = time.monotonic()
        assert put_at - cut_at < 60
        handle = await plain.enqueue(0, channel="there")
        await eventually(lambda handle=handle: rig.log.entries("start", handle.id))
        assert rig.log.entries("start", handle.id)[0].at - put_at < 2.0
        await asyncio.sleep(0.5)
    recovered("C3", time.monotonic() - cut_at)


@pytest.mark.fault("C6")
@pytest.mark.full
async def test_a_tenth_of_the_packets_is_lost(
    rig: Rig, queue: Context, host: Namespace, recovered: Callable[[str, float], None]
):
    """E14: TCP mends it; jobs go on more slowly, and each is done once by whoever holds it."""
    await rig.start(inside=host.inside)
    host.lose(0.1)
    plain = queue.definitions["plain"]
    handles = []
    for number in range(30):
        handles += await plain.enqueue_many([number] * 20, job_group=f"g{number % 5}")
        await asyncio.sleep(1)
    host.heal()
    healed_at = time.monotonic()
    for handle in handles:
        await handle.result(timeout_secs=30)
    recovered("C6", time.monotonic() - healed_at)
    assert (await queue.jobs.count())[JobState.SUCCEEDED] == 600


@pytest.mark.fault("C7")
async def test_a_heavy_payload_on_a_narrow_wire(
    rig: Rig, queue: Context, host: Namespace, recovered: Callable[[str, float], None]
):
    """E14: beats have a connection of their own; who still fetches a payload is not taken for dead."""
    await rig.start(inside=host.inside, lease_secs=6.0)
    host.narrow("2mbit")
    begun_at = time.monotonic()
    handle = await queue.definitions["heavy"].enqueue("x" * 2_000_000)
    assert await handle.result(timeout_secs=60) == 2_000_000
    assert time.monotonic() - begun_at > 6, "it took longer than the lease"
    (start,) = rig.log.entries("start", handle.id)
    assert start.attempt == 1
    assert rig.log.entries("lost") == []
    recovered("C7", start.at - begun_at)


@pytest.mark.fault("C9")
async def test_a_firewall_forgets_idle_connections(
    rig: Rig, queue: Context, host: Namespace, server: psycopg.AsyncConnection,
    recovered: Callable[[str, float], None],
):  # fmt: skip
    """E14: every connection of an idle worker goes silent, and new ones work: it makes new ones."""
    worker = await rig.start(inside=host.inside)
    plain = queue.definitions["plain"]
    await (await plain.enqueue(0)).result(timeout_secs=20)
    stale = await sessions_from(server, host)
    assert len(stale) > 1
    for port in stale.values():
        host.cut_flow(port)
    cut_at = time.monotonic()
    handle = await plain.enqueue(1)
    await handle.result(timeout_secs=30)
    (start,) = rig.log.entries("start", handle.id)
    assert start.pid == worker.pid
    recovered("C9", start.at - cut_at)

    async def is_rid() -> bool:
        return not {*stale} & {*await sessions_from(server, host)}

    await eventually(is_rid, timeout_secs=40)
