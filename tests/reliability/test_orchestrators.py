"""Orchestrators are killed and frozen: each slot of a schedule has one job all the same."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from cuckmq import Context
from tests.reliability.program import define_tick
from tests.reliability.rig import Rig
from tests.support.eventually import eventually

Recovered = Callable[[str, float], None]
REPEAT_SECS = 0.25
KEEPER = {"daemon": "orchestrator", "repeat_secs": REPEAT_SECS}


async def rows(queue: Context, sql: str) -> list[tuple[Any, ...]]:
    """Ask the tables themselves; `{schema}` is the queue's."""
    async with queue.database.connection() as connection:
        cursor = await connection.execute(sql.replace("{schema}", f'"{queue.schema}"').encode())
        return [] if cursor.description is None else await cursor.fetchall()


async def num_ticks(queue: Context) -> int:
    """How many jobs the schedule has put in, whatever has become of them."""
    ((count,),) = await rows(queue, "select count(*) from {schema}.all_job where definition = 'tick'")
    return int(count)


async def ticks_on(queue: Context, number: int = 3) -> None:
    """Wait until the schedule has put in some more."""
    before = await num_ticks(queue)

    async def has_ticked() -> bool:
        return await num_ticks(queue) >= before + number

    await eventually(has_ticked, timeout_secs=30)


async def audit(queue: Context) -> None:
    """Have the server write down each turn of the schedule, apart from the queue."""
    await rows(
        queue,
        "create table {schema}.turn (due_at timestamptz, next_at timestamptz, at timestamptz);"
        "create function {schema}.note_turn() returns trigger language plpgsql as $$ begin "
        "insert into {schema}.turn values (old.next_at, new.next_at, clock_timestamp()); return null; end $$;"
        "create trigger note_turn after update on {schema}.schedule for each row "
        "execute function {schema}.note_turn()",
    )


async def assert_each_slot_once(queue: Context) -> None:
    """Each turn began where the one before ended, and there is a job to each slot between."""
    turns = await rows(queue, "select due_at, next_at from {schema}.turn order by at")
    assert all(before[1] == after[0] for before, after in itertools.pairwise(turns))
    num_slots = round((turns[-1][1] - turns[0][0]).total_seconds() / REPEAT_SECS)
    assert await num_ticks(queue) == num_slots


async def num_deadlocks(queue: Context) -> int:
    ((count,),) = await rows(
        queue, "select deadlocks from pg_stat_database where datname = current_database()"
    )
    return int(count)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("down_secs", [3.0, pytest.param(20.0, marks=pytest.mark.full)])
@pytest.mark.fault("A7")
async def test_the_only_orchestrator_is_killed(
    rig: Rig, queue: Context, recovered: Recovered, down_secs: float
):
    """E35, D7: jobs flow on without it and no lease ends; back, it makes up for one slot, and ticks."""
    await define_tick(queue, lambda *_: None, REPEAT_SECS, "one").deploy()
    await audit(queue)
    await rig.start(repeat_secs=REPEAT_SECS, heartbeat_secs=0.3, lease_secs=1.5)
    keeper = await rig.start(**KEEPER)
    await ticks_on(queue)
    sleep = queue.definitions["sleep"]
    long = await sleep.enqueue(down_secs)
    keeper.send(signal.SIGKILL)
    await keeper.wait()
    num_before = await num_ticks(queue)
    end_at = time.monotonic() + down_secs
    while time.monotonic() < end_at:
        assert await (await sleep.enqueue(0.01)).result(timeout_secs=5) == 1
    assert await long.result(timeout_secs=10) == 1
    assert rig.log.entries("lost") == []
    assert await num_ticks(queue) == num_before, "nobody else ticks"
    await rig.start(**KEEPER)
    back_at = time.monotonic()
    await ticks_on(queue)
    recovered("A7", time.monotonic() - back_at)
    turns = await rows(queue, "select due_at, next_at from {schema}.turn order by at")
    assert all(before[1] == after[0] for before, after in itertools.pairwise(turns))
    assert await num_ticks(queue) == len(turns), "one job a turn, the one after the outage too"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("num_rounds", [3, pytest.param(20, marks=pytest.mark.full)])
@pytest.mark.fault("A8")
async def test_orchestrators_are_killed_in_turn(
    rig: Rig, queue: Context, recovered: Recovered, num_rounds: int
):
    """E35, D7: of three, any is killed at any moment, workers too: no slot and no rescue twice."""
    await define_tick(queue, lambda *_: None, REPEAT_SECS).deploy()
    await audit(queue)
    dice, num_deadlocks_before = random.Random(5), await num_deadlocks(queue)
    options = {"heartbeat_secs": 0.3, "lease_secs": 1.5}
    keepers = [await rig.start(**KEEPER, **options) for _ in range(3)]
    for _ in range(num_rounds):
        worker = await rig.start(concurrency=1, repeat_secs=REPEAT_SECS, **options)
        handle = await queue.definitions["hang"].enqueue(0.0, priority=5)
        await eventually(lambda job_id=handle.id: rig.log.entries("start", job_id))
        worker.send(signal.SIGKILL)
        await asyncio.sleep(dice.uniform(0, REPEAT_SECS))
        victim = keepers.pop(0)
        victim.send(signal.SIGKILL)
        killed_at = time.monotonic()
        await ticks_on(queue)
        recovered("A8", time.monotonic() - killed_at)
        keepers.append(await rig.start(**KEEPER, **options))

        async def is_rescued(job_id: int = handle.id) -> bool:
            return (await queue.jobs.get(job_id)).stall_count > 0

        await eventually(is_rescued, timeout_secs=20)
        job = await handle.get()
        assert (job.stall_count, len(rig.log.entries("start", job.id))) == (1, 1)
        await handle.cancel()
    await assert_each_slot_once(queue)
    assert await num_deadlocks(queue) == num_deadlocks_before


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("num_rounds", "frozen_secs"), [(4, 1.0), pytest.param(3, 30.0, marks=pytest.mark.full)]
)
@pytest.mark.fault("A17")
async def test_an_orchestrator_is_frozen_and_another_takes_over(
    rig: Rig, queue: Context, recovered: Recovered, num_rounds: int, frozen_secs: float
):
    """E15, D7: what it says when it wakes is late, and changes no slot and no job that has ended."""
    await define_tick(queue, lambda *_: None, REPEAT_SECS).deploy()
    await audit(queue)
    dice = random.Random(11)
    await rig.start(repeat_secs=REPEAT_SECS)
    keepers = [await rig.start(**KEEPER), await rig.start(**KEEPER)]
    for number in range(num_rounds):
        frozen = keepers[number % 2]
        await asyncio.sleep(dice.uniform(0, REPEAT_SECS))  # at any moment of a turn
        frozen.send(signal.SIGSTOP)
        frozen_at = time.monotonic()
        await ticks_on(queue)
        recovered("A17", time.monotonic() - frozen_at)
        await asyncio.sleep(frozen_at + frozen_secs - time.monotonic())
        frozen.send(signal.SIGCONT)
        await ticks_on(queue)
        assert frozen.is_alive
    for keeper in keepers:
        keeper.send(signal.SIGTERM)
        assert await keeper.wait() == 0
    await assert_each_slot_once(queue)
    starts = rig.log.entries("start")
    assert len({entry.job_id for entry in starts}) == len(starts), "each job ran once"
