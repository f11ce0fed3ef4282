"""What stands between keeps the connections up and passes nothing on, while beats go another way.

No TCP limit of ours strikes, and no lease ends: who waits for an answer must give up by himself.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cuckmq import Attempt, Context, JobHandle, Worker
from cuckmq.database.fuse import Fuse
from cuckmq.events import JobEnded
from tests.reliability.program import define
from tests.reliability.rig import Rig
from tests.reliability.rigs.proxy import Proxy
from tests.support.eventually import eventually

LEASE_SECS = 4.0
LIMIT_SECS = 0.5
"""How long those in this process wait for an answer."""


class Pending:
    """Puts in a job that runs until it may end. It returns the number of its attempt."""

    def __init__(self) -> None:
        self.at_work, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self, context: Context) -> JobHandle[int]:
        """Put it in, and wait until it runs."""

        @context.job(name="pending")
        async def pending(payload: None, attempt: Attempt) -> int:
            self.at_work.set()
            await self.may_end.wait()
            return attempt.number

        await pending.deploy()
        handle = await pending.enqueue()
        await self.at_work.wait()
        return handle


@pytest.fixture
def pending() -> Pending:
    return Pending()


@pytest.fixture
async def producer(rig: Rig, by_proxy: str, dsn: str) -> AsyncGenerator[Context]:
    """A context of this process, whose connections go through the proxy but for the one that listens."""
    async with Context(by_proxy, schema=rig.schema, listen_dsn=dsn) as producer:
        define(producer, lambda *_: None)
        yield producer


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


@pytest.mark.fault("D7")
async def test_who_waits_for_a_result_hears_of_it(queue: Context, proxy: Proxy, producer: Context):
    """And so do those who subscribed to events."""
    producer.endings._fuse = Fuse(LIMIT_SECS)
    async with producer.subscribe(JobEnded) as events, Worker(queue):
        events._fuse = Fuse(LIMIT_SECS)
        handle = await producer.definitions["sleep"].enqueue(1.5)
        # Connections are opened before the silence: a login has a limit of its own.
        async with producer.database.own_connection(), producer.database.own_connection():
            pass
        hearing = asyncio.create_task(anext(events))
        waiting = asyncio.create_task(handle.result(timeout_secs=20))
        proxy.forget()
        assert await waiting == 1
        assert proxy.num_unheard >= 1
        assert (await asyncio.wait_for(hearing, 20)).job_id == handle.id


@pytest.mark.fault("D7")
async def test_who_writes_notes_does_not_fail(queue: Context, proxy: Proxy, producer: Context):
    """flush() returns when they are there, and the pen is free for others."""
    at_work, forgotten = asyncio.Event(), asyncio.Event()

    @producer.job(name="writer")
    async def writer(payload: None, attempt: Attempt) -> None:
        at_work.set()
        await forgotten.wait()
        attempt.update({"is": "there"})
        await attempt.flush()

    await writer.deploy()
    async with Worker(producer) as worker:
        worker._presence.scribe._fuse = Fuse(LIMIT_SECS)
        handle = await writer.enqueue()
        await at_work.wait()
        proxy.forget()
        forgotten.set()

        async def is_written() -> bool:
            return (await queue.jobs.get(handle.id)).notes == {"is": "there"}

        await eventually(is_written, timeout_secs=20)
        await handle.result(timeout_secs=30)
        assert (await queue.jobs.get(handle.id)).attempt == 1


@pytest.mark.fault("D7")
async def test_what_a_daemon_tells_of_reaches_its_subscribers(
    queue: Context, proxy: Proxy, producer: Context, pending: Pending
):
    """Its events are laid down again, on a connection that answers."""
    producer.feed._fuse = Fuse(LIMIT_SECS)
    async with queue.subscribe(JobEnded) as events, Worker(producer) as worker:
        worker._presence.session._fuse = Fuse(LIMIT_SECS)
        handle = await pending(producer)
        async with producer.database.own_connection(), producer.database.own_connection():
            pass
        proxy.forget()
        pending.may_end.set()
        assert (await asyncio.wait_for(anext(events), 20)).job_id == handle.id
        assert proxy.num_unheard >= 2


@pytest.mark.fault("D7")
async def test_who_was_lost_meanwhile_is_registered_anew(
    rig: Rig, queue: Context, proxy: Proxy, producer: Context, pending: Pending
):
    """It hears of its loss by its beat, and what it says of itself then is not answered."""
    async with Worker(producer) as worker:
        worker._presence.session._fuse = Fuse(LIMIT_SECS)
        handle, first_id = await pending(producer), worker.worker_id
        proxy.forget()
        async with queue.database.connection() as connection:
            await connection.execute(f'update "{rig.schema}".worker set lease_secs = 0.000001')
            await connection.execute(f'select from "{rig.schema}".rescue()')
        pending.may_end.set()
        worker._presence.heart.beat_now()
        assert await handle.result(timeout_secs=20) == 2
        assert worker.worker_id > first_id
        assert proxy.num_unheard >= 1


async def _has_rescued(dsn: str) -> bool:
    """Whether a duty has asked, and its connection lies in the pool."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute(
            "select 1 from pg_stat_activity where state = 'idle' and query ~ 'rescue'"
        )
        return await cursor.fetchone() is not None
