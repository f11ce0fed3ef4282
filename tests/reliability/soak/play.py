"""One soak from beginning to end: set up, work and harm, heal, drain, judge."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, deque
from pathlib import Path
from typing import Final

from cuckmq import Context
from cuckmq.database.embedded import EmbeddedPostgres
from tests.reliability.soak.canceller import cancel_some
from tests.reliability.soak.history import History, Journal, Row
from tests.reliability.soak.jobs import REPEAT_SECS, define
from tests.reliability.soak.judge import judge
from tests.reliability.soak.mutants import MUTANTS, mutate
from tests.reliability.soak.nemesis import FAULTS, harass
from tests.reliability.soak.producer import Producer
from tests.reliability.soak.reader import read_history
from tests.reliability.soak.stage import Stage

SCHEMA: Final = "soak"
LEASE_SECS: Final = 2.5
NUM_WORKERS: Final = 3
NUM_ORCHESTRATORS: Final = 2
NUM_PRODUCERS: Final = 2
SLOW_SHARE: Final = 0.05
"""Of the jobs that just sleep, how many sleep for longer than a lease."""
SETTINGS: Final = {"max_connections": "60", "log_lock_waits": "on"}
ALARMING: Final = re.compile(r"never retrieved|Traceback|Task was destroyed|RuntimeWarning|Fatal")

ROWS: Final = """
    select a.id, a.payload->>'key', a.definition, a.state, a.attempt, a.error_count, a.stall_count,
        a.num_attempts, a.num_stalls, a.reason, extract(epoch from a.claimed_at)::float8
    from soak.all_job a
"""
REMAINS: Final = """
    select 'advisory lock of ' || l.pid from pg_locks l where l.locktype = 'advisory'
    union all
    select 'session ' || a.pid || ' is idle in a transaction' from pg_stat_activity a
    where a.state like 'idle in transaction%' and a.pid <> pg_backend_pid()
    union all
    select 'prepared transaction ' || p.gid from pg_prepared_xacts p
"""


async def play(
    folder: Path,
    *,
    secs: float,
    seed: int,
    mutant: str | None = None,
    drain_secs: float = 90.0,
) -> list[str]:
    """Play one soak, and return what the judge found.

    Args:
        folder: for the server and the journals.
        secs: how long there are work and faults; healing and draining come after that.
        seed: of the schedule of faults.
        mutant: which promise to take out of the queue, if any; it brings the faults and load that show it.
        drain_secs: how long the jobs may take to end once peace has come.
    """
    kinds, slow_share, is_deaf = tuple(FAULTS), SLOW_SHARE, False
    if mutant is not None:
        kinds, slow_share, is_deaf = (
            MUTANTS[mutant].kinds,
            MUTANTS[mutant].slow_share,
            MUTANTS[mutant].is_deaf,
        )
    with EmbeddedPostgres.start(folder / "postgres", settings=SETTINGS) as server:
        stage = Stage(server, SCHEMA, folder, LEASE_SECS, is_deaf=is_deaf)
        context = Context(server.dsn, schema=SCHEMA)
        journal = Journal(folder, "soak")
        try:
            began_at = time.monotonic()
            await _set_up(context, stage, mutant)
            await asyncio.gather(
                harass(stage, journal, seed=seed, secs=secs, kinds=kinds),
                _load(context, journal, seed=seed, secs=secs, slow_share=slow_share),
            )
            remains = await _drain(stage, drain_secs)
            await stage.end()
            history = read_history(folder, LEASE_SECS)
            history.life_secs = time.monotonic() - began_at
            history.remains += remains
            await _look(context, stage, history)
        finally:
            await stage.kill()
            await context.close()
    print(_sum_up(history))
    return judge(history)


async def _load(context: Context, journal: Journal, *, seed: int, secs: float, slow_share: float) -> None:
    """Put in jobs for so many seconds, and cancel some of them."""
    recent: deque[int] = deque(maxlen=100)
    lingering: deque[tuple[float, int]] = deque()
    producers = [
        Producer(
            context, journal, name=f"p{number}", seed=seed, slow_share=slow_share,
            recent=recent, lingering=lingering,
        )
        for number in range(NUM_PRODUCERS)
    ]  # fmt: skip
    await asyncio.gather(
        *(producer.produce(secs) for producer in producers),
        producers[0].burst(secs),
        cancel_some(context, journal, seed=seed, secs=secs, recent=recent, lingering=lingering),
    )


def _sum_up(history: History) -> str:
    """Tell how much there was to judge."""
    calls, rows = history.calls.values(), history.rows.values()
    states = Counter(row.state for row in rows)
    answers = Counter(cancel.answer or "unknown" for cancel in history.cancels)
    num_acked = sum(call.acked_at is not None for call in calls)
    num_duplicates = sum(call.duplicate_of is not None for call in calls)
    num_errors, num_stalls = (sum(row.error_count for row in rows), sum(row.stall_count for row in rows))
    return f"""\
{len(calls)} enqueues, {num_acked} acknowledged, {num_duplicates} of them as duplicates
{len(rows)} jobs: {_counts(states)}
{len(history.runs)} runs, {num_errors} errors, {num_stalls} stalls, {len(history.slots)} moments
{len(history.cancels)} cancels: {_counts(answers)}
{len(history.faults)} faults: {_counts(Counter(fault.kind for fault in history.faults))}"""


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "none"


async def _set_up(context: Context, stage: Stage, mutant: str | None) -> None:
    define(context, lambda *_, **__: None)
    await context.migrate()
    await context.deploy()
    async with context.database.connection() as connection:
        await connection.execute("create table soak_effect (job_id bigint not null, attempt int not null)")
        if mutant is not None:
            await mutate(connection, stage.schema, mutant)
    for role, number in (("worker", NUM_WORKERS), ("orchestrator", NUM_ORCHESTRATORS)):
        for _ in range(number):
            await stage.add(role)


async def _drain(stage: Stage, drain_secs: float) -> list[str]:
    """Wait until nothing but the schedules' own jobs lives. What still lives then is told."""
    end_at = time.monotonic() + drain_secs
    while time.monotonic() < end_at:
        ((num_live,),) = await stage.ask(
            "select count(*) from soak.job j join soak.job_definition d on d.id = j.definition_id"
            " where d.name <> all(%s) and not exists (select from soak.finalized f where f.job_id = j.id)",
            [list(REPEAT_SECS)],
        )
        if num_live == 0:
            return []
        await asyncio.sleep(0.2)
    return [f"{num_live} jobs did not end within {drain_secs:g} s of peace"]


async def _look(context: Context, stage: Stage, history: History) -> None:
    """Add to the history what the tables, the server and the processes show at the end."""
    for row in await stage.ask(ROWS):
        history.rows[row[0]] = Row(*row)
    for job_id, attempts in await stage.ask(
        "select job_id, array_agg(attempt) from soak_effect group by job_id"
    ):
        history.effects[job_id] = attempts
    history.remains += [str(problem) for problem in await context.jobs.find_problems()]
    history.remains += [remain for (remain,) in await stage.ask(REMAINS)]
    history.remains += [
        f"a job runs for worker {worker_id}, which has ended"
        for (worker_id,) in await stage.ask("select distinct worker_id from soak.running")
    ]
    history.remains += [
        f"a process ({role}) ended with {code}" for role, code in stage.exit_codes if code not in (0, -9)
    ]
    for line in (stage.folder / "stderr.log").read_text("utf-8", "replace").splitlines():
        if ALARMING.search(line):
            history.remains.append(f"on stderr: {line}")
