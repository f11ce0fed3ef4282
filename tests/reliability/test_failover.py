"""The primary is gone, and a standby takes its place under load."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from cuckmq import Context, JobState, Orchestrator, Worker
from cuckmq.errors import DatabaseReadOnly, EnqueueUnknown, JobNotFound
from tests.reliability.rig import Rig, WorkerProcess, rig_for
from tests.reliability.rigs.pair import Pair
from tests.support.eventually import eventually

SCHEMA = "failover"
REPEAT_SECS = 0.5

Recovered = Callable[[str, float], None]


class Play:
    """A queue on a pair of servers, at work: a producer, two workers, a schedule.

    Attributes:
        acked: the ids of the jobs whose enqueue() returned, by their number.
        workers: the processes.
    """

    def __init__(self, pair: Pair, rig: Rig, context: Context) -> None:
        self.pair, self.rig, self.context = pair, rig, context
        self.acked: dict[int, int] = {}
        self.workers: list[WorkerProcess] = []

    async def start(self) -> None:
        """Start two workers, and the producer."""
        options = {"concurrency": 4, "lease_secs": 6.0, "heartbeat_secs": 1.5, "poll_secs": 1.0}
        ((self._first_slot,),) = self.rows(
            f"select extract(epoch from next_at) / {REPEAT_SECS} from {SCHEMA}.schedule"
        )
        self.workers = [await self.rig.start(name=f"w{number}", **options) for number in range(2)]
        self._producer = asyncio.create_task(self._produce())

    async def _produce(self) -> None:
        """Enqueue some fifty jobs a second. What was not acknowledged is not asked for again."""
        number = 0
        while True:
            number += 1
            with contextlib.suppress(psycopg.Error, PoolTimeout, EnqueueUnknown, DatabaseReadOnly):
                self.acked[number] = (await self.context.definitions["effect"].enqueue(number)).id
            await asyncio.sleep(0.02)

    async def work(self) -> None:
        """Wait until jobs have gone in and out."""
        num_acked, num_done = len(self.acked), len(self.rig.log.entries("end"))
        await eventually(
            lambda: len(self.acked) > num_acked + 30 and len(self.rig.log.entries("end")) > num_done + 30,
            timeout_secs=30,
        )

    async def fail_over(self, end: Callable[[], None]) -> float:
        """End the primary and promote the standby. Returns the seconds until work went on."""
        await asyncio.to_thread(end)
        last_number = max(self.acked)
        await asyncio.to_thread(self.pair.promote)
        promoted_at = time.monotonic()

        def is_back() -> bool:
            # A job that went in after the promotion has gone through a worker.
            new = {job_id for number, job_id in self.acked.items() if number > last_number}
            return any(entry.job_id in new for entry in self.rig.log.entries("end"))

        await eventually(is_back, timeout_secs=60)
        return time.monotonic() - promoted_at

    async def finish(self) -> None:
        """Stop the producer, have all work done, and see that the processes and the queue are sound."""
        self._producer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._producer
        query = (
            f"select count(*) from {SCHEMA}.all_job where definition = 'effect'"
            " and state in ('scheduled', 'queued', 'running')"
        )
        await eventually(lambda: self.rows(query) == [(0,)], timeout_secs=60)
        for worker in self.workers:
            assert worker.is_alive
            worker.send(signal.SIGTERM)
            assert await worker.wait() == 0
        assert await self.context.jobs.find_problems() == []
        self._judge_slots()
        assert self.rows("select job_id from public.effect group by 1 having count(*) > 1") == []
        effects = {job_id for (job_id,) in self.rows("select job_id from public.effect")}
        assert effects == {
            job_id for (job_id,) in self.rows(f"select id from {SCHEMA}.all_job where state = 'succeeded'")
        }

    def _judge_slots(self) -> None:
        """Count ticks and slots in one look, since the orchestrator goes on."""
        ((num_slots, num_ticks),) = self.rows(
            f"select round(extract(epoch from s.next_at) / {REPEAT_SECS} - {self._first_slot}), "
            f"(select count(*) from {SCHEMA}.all_job where definition = 'tick') from {SCHEMA}.schedule s"
        )
        assert num_slots == num_ticks > 0

    def rows(self, query: str) -> list[tuple[int, ...]]:
        """Ask the primary of the moment."""
        with psycopg.connect(self.pair.dsn) as connection:
            return connection.execute(query.encode()).fetchall()


@asynccontextmanager
async def play_on(pair: Pair, folder: Path) -> AsyncGenerator[Play]:
    """Have a queue at work on a pair. Who plays calls `finish()` and judges what is left."""
    async with rig_for(pair.dsn, SCHEMA, folder) as (rig, context):
        # Nobody runs the ticks, so each one stays to be counted.
        @context.job(name="tick", repeat_secs=REPEAT_SECS, missed="all")
        async def tick() -> None: ...

        await context.deploy()
        with psycopg.connect(pair.dsn) as connection:
            connection.execute("create table public.effect (job_id bigint, number bigint)")
        play = Play(pair, rig, context)
        await play.start()
        async with Orchestrator(context):
            yield play


async def _play_crashes(num_crashes: int, folder: Path, recovered: Recovered) -> None:
    pair = Pair(is_sync=True)
    try:
        async with play_on(pair, folder) as play:
            for number in range(num_crashes):
                if number:
                    await asyncio.to_thread(pair.follow)
                await play.work()
                recovered("B6", await play.fail_over(pair.crash))
            await play.finish()
            jobs = await play.context.jobs.get_many(list(play.acked.values()))
            assert {job.id for job in jobs} == set(play.acked.values()), "an acknowledged job was lost"
            assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    finally:
        pair.close()


@pytest.mark.fault("B6")
async def test_a_crash_and_a_promotion_lose_nothing(tmp_path: Path, recovered: Recovered):
    """E35: with a synchronous standby, a failover costs seconds and no job."""
    await _play_crashes(1, tmp_path, recovered)


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.fault("B6")
async def test_five_crashes_and_promotions_lose_nothing(tmp_path: Path, recovered: Recovered):
    """E35: each time the old primary comes back as the standby of the new one, to be promoted in its turn."""
    await _play_crashes(5, tmp_path, recovered)


@pytest.mark.fault("B5")
async def test_an_asynchronous_standby_loses_what_it_had_not_heard(tmp_path: Path, recovered: Recovered):
    """E35: jobs are lost with their commits, and nothing else: all that is there runs, once."""
    pair = Pair(is_sync=False)
    try:
        async with play_on(pair, tmp_path) as play:
            await play.work()
            await asyncio.to_thread(pair.fall_behind)
            num_heard = len(play.acked)
            await eventually(lambda: len(play.acked) > num_heard + 50, timeout_secs=30)
            recovered("B5", await play.fail_over(pair.crash))
            num_lost_at_most = max(play.acked) - num_heard
            await play.finish()
            numbers = {number for (number,) in play.rows("select number from public.effect")}
            lost = set(play.acked) - numbers
            assert 50 <= len(lost) <= num_lost_at_most
            # What was lost is one piece: the last that went in before the crash.
            assert lost == {number for number in play.acked if min(lost) <= number <= max(lost)}
            # The identity of a lost job is nobody else's, so that who holds it is told that it is gone.
            assert await play.context.jobs.get_many([play.acked[number] for number in lost]) == []
            assert len(set(play.acked.values())) == len(play.acked)
            effect = play.context.definitions["effect"]
            with pytest.raises(JobNotFound):
                await effect.handle(play.acked[min(lost)]).result(timeout_secs=5)
            old_worker = max(worker.worker_id for worker in play.workers)
            assert (await play.rig.start()).worker_id > old_worker + 1_000_000_000
            # And whoever asks for all that were put in by now still gets them.
            await effect.enqueue(0, delay_secs=3600, channel="late")
            assert await play.context.channels.purge("late") == 1
    finally:
        pair.close()


@pytest.mark.full
@pytest.mark.fault("B7")
async def test_who_is_connected_to_a_demoted_primary_leaves_it(tmp_path: Path, recovered: Recovered):
    """E35: sessions that live on are given up, the one that listens too."""
    pair = Pair(is_sync=True)
    try:
        async with play_on(pair, tmp_path) as play:
            await play.work()
            await play.fail_over(pair.demote)
            demoted_at = time.monotonic()
            with psycopg.connect(pair.standby.dsn, autocommit=True) as old:
                await eventually(
                    lambda: (
                        old.execute(
                            "select query from pg_stat_activity where application_name = 'cuckmq' "
                            "and query ~ 'ping|heartbeat|exchange'"
                        ).fetchall()
                        == []
                    ),
                    timeout_secs=60,
                )
            recovered("B7", time.monotonic() - demoted_at)
            await play.work()
            await play.finish()
            assert await play.context.jobs.get_many(list(play.acked.values()))
    finally:
        pair.close()


@pytest.mark.fault("B8")
async def test_a_standby_is_refused_at_the_start():
    """E35: and the message says what to write into the DSN."""
    pair = Pair(is_sync=True)
    try:
        async with (
            Context(pair.dsn, schema=SCHEMA) as primary,
            Context(pair.standby.dsn, schema=SCHEMA) as context,
        ):

            async def work() -> None: ...

            job = context.job(name="j")(work)
            await primary.migrate()
            await primary.job(name="j")(work).deploy()
            with psycopg.connect(pair.standby.dsn, autocommit=True) as standby:
                await eventually(
                    lambda: standby.execute(
                        "select 1 from pg_tables where tablename = 'job_definition'"
                    ).fetchall()
                )
                await eventually(lambda: standby.execute(f"select 1 from {SCHEMA}.job_definition").fetchall())
            for refused in (context.deploy, Worker(context).start, job.enqueue):
                with pytest.raises(DatabaseReadOnly, match="target_session_attrs=read-write"):
                    await refused()
    finally:
        pair.close()
