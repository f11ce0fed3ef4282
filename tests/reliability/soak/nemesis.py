"""What is done to the queue while it works: one fault after the other, drawn from a seed.

A fault is a function that does its harm, undoes it, and returns whom it concerned: a process, or everybody
(None). The schedule depends on the seed alone, so that a run that failed can be run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import psycopg

from tests.reliability.soak.history import Journal
from tests.reliability.soak.jobs import SLOW_SECS
from tests.reliability.soak.reader import measure, read_lines
from tests.reliability.soak.stage import Member, Stage

TABLES: Final = ("job", "ready", "running", "worker", "finalized", "quota", "unique_key", "cancellation")

MAX_LEASES: Final = 5
"""How many leases a worker sleeps at most while nobody begins its jobs."""
HOLDERS: Final = """
    select w.pid, array_agg(r.job_id) from soak.running r
    join soak.worker w on w.id = r.worker_id and not w.is_lost
    join soak.job j on j.id = r.job_id and (j.payload->>'secs')::float8 = %s
    where w.pid = any(%s) and r.claimed_at > clock_timestamp() - interval '1 second'
    group by w.pid order by w.pid
"""

Fault = Callable[[Stage, random.Random], Awaitable[int | None]]


async def kill_worker(stage: Stage, dice: random.Random) -> int | None:
    """kill -9, and a new one in its place."""
    member = dice.choice(stage.workers)
    member.process.send_signal(signal.SIGKILL)
    await stage.replace(member)
    return member.process.pid


async def end_worker(stage: Stage, dice: random.Random) -> int | None:
    """SIGTERM, which it must obey in time, and a new one in its place."""
    member = dice.choice(stage.workers)
    member.process.send_signal(signal.SIGTERM)
    await stage.replace(member)
    return member.process.pid


async def freeze_worker(stage: Stage, dice: random.Random) -> int | None:
    """SIGSTOP for less or more than a lease."""
    return await _freeze(stage, dice, stage.workers)


async def _freeze(stage: Stage, dice: random.Random, members: Sequence[Member]) -> int:
    """Have one of these sleep for a while."""
    member = dice.choice(members)
    member.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(dice.uniform(0.5, 2.5) * stage.lease_secs)
    member.process.send_signal(signal.SIGCONT)
    return member.process.pid


async def oversleep_worker(stage: Stage, dice: random.Random) -> int | None:
    """SIGSTOP of one with a long job, until another has begun it: what it says on waking must not count."""
    members = {each.process.pid: each for each in stage.workers}
    holders: list[tuple[int, list[int]]] = []

    async def are_found() -> bool:
        holders.extend(await stage.ask(HOLDERS, [SLOW_SECS, list(members)]))
        return bool(holders)

    if not await _wait_until(stage, are_found):
        return None
    pid, job_ids = dice.choice(holders)
    members[pid].process.send_signal(signal.SIGSTOP)
    since = measure(stage.folder)

    async def have_heirs() -> bool:
        lines = read_lines(stage.folder, since)
        return any(line["word"] == "start" and line["job_id"] in job_ids for line in lines)

    await _wait_until(stage, have_heirs)
    members[pid].process.send_signal(signal.SIGCONT)
    return pid


async def _wait_until(stage: Stage, is_so: Callable[[], Awaitable[bool]]) -> bool:
    """Ask until it is so. False if it has not come to it in some leases' time."""
    end_at = asyncio.get_running_loop().time() + MAX_LEASES * stage.lease_secs
    while not await is_so():
        if asyncio.get_running_loop().time() > end_at:
            return False
        await asyncio.sleep(0.1)
    return True


async def kill_orchestrator(stage: Stage, dice: random.Random) -> int | None:
    """kill -9 of one of the orchestrators."""
    member = dice.choice(stage.orchestrators)
    member.process.send_signal(signal.SIGKILL)
    await stage.replace(member)
    return member.process.pid


async def freeze_orchestrator(stage: Stage, dice: random.Random) -> int | None:
    """SIGSTOP of one of the orchestrators, at any moment of a tick, a rescue or a purge."""
    return await _freeze(stage, dice, stage.orchestrators)


async def cut_sessions(stage: Stage, dice: random.Random) -> int | None:
    """Terminate some sessions, whosever they are."""
    await stage.ask(
        "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend'"
        " and pid <> pg_backend_pid() order by random() limit %s",
        [dice.randint(1, 5)],
    )
    return None


async def kill_backend(stage: Stage, dice: random.Random) -> int | None:
    """kill -9 one server process: the server restarts all of them, and recovers."""
    rows = await stage.ask(
        "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    with contextlib.suppress(ProcessLookupError):
        os.kill(dice.choice(rows)[0], signal.SIGKILL)
    return None


async def crash_server(stage: Stage, dice: random.Random) -> int | None:
    """Stop the server as a crash would, and start it again after a while."""
    await _restart(stage, dice, at_once=True)
    return None


async def restart_server(stage: Stage, dice: random.Random) -> int | None:
    """Restart the server in good order: what is under way is rolled back, and sessions are ended."""
    await _restart(stage, dice, at_once=False)
    return None


async def _restart(stage: Stage, dice: random.Random, *, at_once: bool) -> None:
    await asyncio.to_thread(stage.server.stop, at_once=at_once)
    await asyncio.sleep(dice.uniform(0, 2))
    await asyncio.to_thread(stage.server.resume)


async def lock_table(stage: Stage, dice: random.Random) -> int | None:
    """Hold a lock that nothing passes, as a migration does that waits for a report."""
    table = dice.choice(TABLES)
    async with await stage.reach() as connection:
        await connection.execute(f'lock table "{stage.schema}".{table} in access exclusive mode'.encode())
        await asyncio.sleep(dice.uniform(0.5, 1.5) * stage.lease_secs)
    return None


async def hold_snapshot(stage: Stage, dice: random.Random) -> int | None:
    """Keep a snapshot, as a backup does, so that no dead row can be removed."""
    async with await stage.reach() as connection:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await connection.execute("select 1")
        await asyncio.sleep(dice.uniform(2, 10))
    return None


async def take_all_connections(stage: Stage, dice: random.Random) -> int | None:
    """Leave no connection for others, for a while."""
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                await stack.enter_async_context(await stage.connect())
        await asyncio.sleep(dice.uniform(0.5, 1.5) * stage.lease_secs)
    return None


FAULTS: Final[dict[str, Fault]] = {
    each.__name__: each
    for each in (
        kill_worker, end_worker, freeze_worker, oversleep_worker, kill_orchestrator, freeze_orchestrator,
        cut_sessions, kill_backend, crash_server, restart_server, lock_table, hold_snapshot,
        take_all_connections,
    )
}  # fmt: skip


async def harass(
    stage: Stage, journal: Journal, *, seed: int, secs: float, kinds: Sequence[str] = tuple(FAULTS)
) -> None:
    """Do one fault of these kinds after the other, with short peace between them, for so many seconds."""
    dice = random.Random(seed)
    loop = asyncio.get_running_loop()
    end_at = loop.time() + secs
    while loop.time() < end_at:
        await asyncio.sleep(dice.uniform(0.3, 3.0))
        kind = dice.choice(kinds)
        began_at = loop.time()
        print(f"{end_at - began_at:6.1f} s to go: {kind}", flush=True)
        target = await FAULTS[kind](stage, dice)
        journal.note("fault", kind=kind, began_at=began_at, target=target)
