"""A listener is frozen while the database goes on talking to it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql

from cuckmq import Context
from tests.reliability.rig import Rig
from tests.reliability.rigs.listening import listening_server, own_address
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually


@pytest.fixture
def dsn(new_cluster: Callable[..., PrivateCluster]) -> str:
    """A server that listens for TCP, on an address of its own, since the port is fixed."""
    address = own_address()
    return listening_server(new_cluster, address)


@pytest.mark.fault("A15")
@pytest.mark.full
async def test_who_reads_no_more_is_hung_up_on(
    rig: Rig, queue: Context, dsn: str, recovered: Callable[[str, float], None]
):
    """E15: 24 MB of notifications for a frozen process; the server ends a session that holds its horizon."""
    frozen = await rig.start()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as server:
        query = "select pid from pg_stat_activity where application_name = 'cuckmq' and query like '%ping%'"
        (listener,) = await eventually(lambda: _first(server, query))
        frozen.send(signal.SIGSTOP)
        frozen_at = time.monotonic()
        text = "select pg_notify({}, n || repeat('x', 7000)) from generate_series(1, 150) as n"
        flood = sql.SQL(text).format(sql.Literal(f"cuckmq.{rig.schema}"))
        for _ in range(24):
            await server.execute(flood)

        async def is_gone() -> bool:
            return await _first(server, f"select 1 from pg_stat_activity where pid = {listener}") is None

        await eventually(is_gone, timeout_secs=60)
        recovered("A15", time.monotonic() - frozen_at)
        frozen.send(signal.SIGCONT)
        handle = await queue.definitions["plain"].enqueue(1)
        await handle.result(timeout_secs=20)
        assert rig.log.entries("start", handle.id)[0].pid == frozen.pid


async def _first(server: psycopg.AsyncConnection, query: str) -> tuple[int] | None:
    return await (await server.execute(query.encode())).fetchone()
