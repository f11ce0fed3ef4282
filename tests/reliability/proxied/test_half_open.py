"""A network whose TCP is well and that delivers late, or never: nothing waits longer than it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cuckmq import Context, JobState
from cuckmq.errors import EnqueueUnknown
from tests.reliability.program import define
from tests.reliability.rig import Rig
from tests.reliability.rigs.proxy import Proxy
from tests.support.eventually import eventually


@pytest.mark.fault("C4")
async def test_a_host_accepts_and_never_answers(
    rig: Rig, queue: Context, proxy: Proxy, dsn: str, recovered: Callable[[str, float], None]
):
    """E35: the connect timeout holds by itself, and the next host of the DSN is tried."""
    await proxy.let(forward=False, answer=False)
    began_at = time.monotonic()
    both = make_conninfo(dsn, host=f"127.0.0.1,{conninfo_to_dict(dsn)['host']}", port=f"{proxy.port},5432")
    async with Context(both, schema=rig.schema) as producer:
        define(producer, lambda *_: None)
        handle = await producer.definitions["plain"].enqueue(1)
    recovered("C4", time.monotonic() - began_at)
    assert proxy.num_accepted >= 1
    worker_began_at = time.monotonic()
    await rig.start(dsn=both)
    await handle.result(timeout_secs=20)
    assert time.monotonic() - worker_began_at < 20


@pytest.mark.fault("C5")
async def test_the_answer_to_an_enqueue_is_lost(rig: Rig, queue: Context, proxy: Proxy, by_proxy: str):
    """E35: it says that nobody knows, and tries nothing by itself; with a unique key one may try again."""
    async with Context(by_proxy, schema=rig.schema) as producer:
        define(producer, lambda *_: None)
        plain = producer.definitions["plain"]
        for key in (None, "k"):
            for _ in range(2):  # so that there is a connection to be cut, and nothing to be prepared on it
                await plain.enqueue(0)
            before = (await queue.jobs.count())[JobState.QUEUED]
            await proxy.let(answer=False)
            asking = asyncio.create_task(plain.enqueue(1, unique_key=key))

            async def is_in(before: int = before) -> bool:
                return (await queue.jobs.count())[JobState.QUEUED] == before + 1

            await eventually(is_in)
            proxy.hang_up()
            with pytest.raises(EnqueueUnknown, match="unique_key"):
                await asking
            await proxy.let()
            assert await is_in()
        await plain.enqueue(1, unique_key="k")
        assert (await queue.jobs.count())[JobState.QUEUED] == 6


@pytest.mark.fault("C8")
@pytest.mark.full
async def test_each_word_takes_300_ms(rig: Rig, queue: Context, proxy: Proxy, by_proxy: str):
    """E14: leases are kept with some beats to spare, and jobs go in batches, not one a round trip."""
    proxy.latency_secs = 0.15
    await rig.start(dsn=by_proxy, heartbeat_secs=0.75, lease_secs=3)
    began_at = time.monotonic()
    handles = await queue.definitions["plain"].enqueue_many(list(range(1000)))
    for handle in handles:
        await handle.result(timeout_secs=20)
    assert time.monotonic() - began_at < 1000 * 0.3 / 20
    patient = await queue.definitions["sleep"].enqueue(7.0)
    assert await patient.result(timeout_secs=20) == 1
    assert rig.log.entries("lost") == []
    assert len(rig.log.entries("start")) == 1001
