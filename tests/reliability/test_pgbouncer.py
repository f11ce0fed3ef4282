"""Through PgBouncer in transaction mode: no session state, no LISTEN, no held lock; it works all the same."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from cuckmq import JobState
from tests.reliability.rig import Entry, rig_for
from tests.reliability.rigs.listening import own_address
from tests.support.database import PrivateCluster
from tests.support.eventually import eventually
from tests.support.pgbouncer import pgbouncer


@pytest.mark.fault("D3")
async def test_work_and_kill_9_through_pgbouncer(
    new_cluster: Callable[..., PrivateCluster], tmp_path: Path, recovered: Callable[[str, float], None]
):
    """E11, E13, E24, M1: groups stay exclusive; a killed worker's jobs run again within 14 s."""
    address = own_address()
    await asyncio.to_thread(new_cluster, settings={"listen_addresses": address})
    direct = f"host={address} port=5432 user=postgres dbname=postgres"
    with pgbouncer(direct, tmp_path / "bouncer") as pooled:
        async with rig_for(pooled, "pooled", tmp_path) as (rig, queue):
            doomed = await rig.start()
            plain = await queue.definitions["hang"].enqueue(0.0)
            grouped = await queue.definitions["hang"].enqueue(0.0, job_group="g")
            await eventually(lambda: len(rig.log.entries("start")) == 2)
            saviour = await rig.start()
            doomed.send(signal.SIGKILL)
            killed_at = time.monotonic()
            await doomed.wait()
            handles = []
            for number in range(2000):
                name = f"g{number % 20}" if number % 2 else None
                handles.append(await queue.definitions["plain"].enqueue(number, job_group=name))
            for handle in (plain, grouped):
                assert await handle.result(timeout_secs=20) == 2
                starts = rig.log.entries("start", handle.id)
                assert [entry.pid for entry in starts] == [doomed.pid, saviour.pid]
                recovered("D3", starts[1].at - killed_at)
            async with await psycopg.AsyncConnection.connect(direct) as server:
                held = await server.execute(
                    "select count(*) from pg_locks where locktype = 'advisory' and not granted"
                    " or locktype = 'advisory' and pid in"
                    " (select pid from pg_stat_activity where state = 'idle')"
                )
                assert await held.fetchone() == (0,)
            for handle in handles:
                await handle.result(timeout_secs=20)
            saviour.send(signal.SIGTERM)
            assert await saviour.wait() == 0
            assert (await queue.jobs.count())[JobState.SUCCEEDED] == 2002
            assert await queue.jobs.find_problems() == []
    by_group: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(rig.log.entries(), key=lambda entry: entry.at):
        if entry.group not in ("-", "g"):
            by_group[entry.group].append(entry)
    assert len(by_group) == 10
    for entries in by_group.values():
        assert [entry.word for entry in entries] == ["start", "end"] * 100
