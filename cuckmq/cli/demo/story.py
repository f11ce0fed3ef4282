"""The demo itself: put in, run, kill, recover, finish, account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from psycopg import sql

from cuckmq.cli.demo.audit import FINAL, Audit, audit
from cuckmq.cli.demo.crew import Crew, Hand
from cuckmq.cli.demo.display import meter
from cuckmq.cli.demo.jobs import REPORT_SECS, Shop, open_shop
from cuckmq.cli.demo.journal import Journal, bury, read_runs
from cuckmq.cli.demo.producers import NUM_PRODUCERS, Fate, Ledger, ask_for_report, produce
from cuckmq.cli.show import say
from cuckmq.context import Context
from cuckmq.events import Event, ScheduleTicked
from cuckmq.orchestrator import Orchestrator

LOOK_SECS: Final = 0.15
KILL_AT: Final = 0.35
PATIENCE_SECS: Final = 45.0


class Stuck(Exception):
    """Nothing has ended for a long time."""


class Story:
    """One performance.

    Args:
        context: an empty queue, migrated.
        crew: hires the workers.
        journal: the file in which all runs are written down.
        num_jobs: how many to put in.
    """

    def __init__(self, context: Context, crew: Crew, journal: Path, num_jobs: int) -> None:
        self._context = context
        self._crew = crew
        self._journal = journal
        self._num_jobs = num_jobs
        self._ledger = Ledger()
        self._shop: Shop = open_shop(context, Journal(journal))
        self._problems: list[str] = []
        self._num_ended = 0
        self._num_live = 0
        self._moved_at = time.monotonic()
        context.add_event_handler(self._on_event)

    async def tell(self) -> Audit:
        """Perform, and account for what was performed."""
        await self._context.deploy()
        hands = [await self._crew.hire("demo-1"), await self._crew.hire("demo-2")]
        pids = " and ".join(str(hand.pid) for hand in hands)
        say("done", "2 worker processes and an orchestrator are at work", f"pids {pids}")
        try:
            with meter(self._num_jobs) as self._meter:
                await self._perform(victim=hands[1])
        except Stuck as stuck:
            self._problems.append(str(stuck))
        return await self._account(hands)

    async def _perform(self, *, victim: Hand) -> None:
        async with Orchestrator(self._context):
            self._production = asyncio.create_task(self._produce())
            try:
                while self._num_ended < self._num_jobs * KILL_AT:
                    await self._look()
                await self._kill(victim)
                while not self._production.done():
                    await self._look()
            finally:
                self._production.cancel()
        await self._shop.sweep.undeploy()
        while self._num_live:
            await self._look()

    async def _produce(self) -> None:
        began_at = time.monotonic()
        await produce(self._shop, self._ledger, self._num_jobs)
        took_secs = time.monotonic() - began_at
        say("done", f"{self._num_jobs:,} jobs put in by {NUM_PRODUCERS} producers in {took_secs:.1f} s")

    async def _kill(self, victim: Hand) -> None:
        """Kill a worker while it is certainly busy, and wait until no job runs in its name."""
        while not self._is_reporting(victim):
            await ask_for_report(self._shop, self._ledger)
            await self._look()
        await victim.kill()
        held = await self._held_by(victim)
        say("struck", f"worker {victim.name} killed with SIGKILL in the middle of {len(held)} jobs",
            f"pid {victim.pid}")  # fmt: skip
        while await self._held_by(victim):
            await self._look()
        took_secs = time.monotonic() - (victim.died_at or 0.0)
        say("done", f"its {len(held)} jobs were given to the other worker after {took_secs:.1f} s")

    def _is_reporting(self, hand: Hand) -> bool:
        """Tell whether it is in the first half of a long job."""
        since = time.monotonic() - REPORT_SECS / 2
        runs = read_runs(self._journal)
        return any(run.pid == hand.pid and run.name == "REPORT" and run.began > since for run in runs)

    async def _held_by(self, hand: Hand) -> list[int]:
        """Find the jobs that run in the name of a worker."""
        query = sql.SQL("select id from {}.all_job where state = 'running' and worker_id = %s")
        async with self._context.database.connection() as connection:
            cursor = await connection.execute(
                query.format(sql.Identifier(self._context.schema)), (hand.worker_id,)
            )
            return [row[0] for row in await cursor.fetchall()]

    async def _look(self) -> None:
        """See where things stand, show it, and let some time pass.

        Raises:
            Stuck: no job has ended for too long.
        """
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # In Python 3.11 asyncio.wait_for may lose a cancellation, and the driver uses it.
            raise asyncio.CancelledError
        if self._production.done():
            self._production.result()
        counts = await self._context.jobs.count()
        num_ended = sum(counts[state] for state in FINAL)
        self._num_live = sum(counts.values()) - num_ended
        now = time.monotonic()
        if num_ended != self._num_ended:
            self._num_ended, self._moved_at = num_ended, now
        if now - self._moved_at > PATIENCE_SECS:
            raise Stuck(f"no job has ended for {PATIENCE_SECS:.0f} s")
        self._meter.show(counts, max(self._num_jobs, len(self._ledger.fates)))
        await asyncio.sleep(LOOK_SECS)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ScheduleTicked):
            self._ledger.enter(event.job_id, Fate(event.name))

    async def _account(self, hands: Sequence[Hand]) -> Audit:
        survivors = [hand for hand in hands if hand.died_at is None]
        for hand in survivors:
            if (code := await hand.dismiss()) != 0:
                self._problems.append(f"worker {hand.name} did not end well: exit code {code}")
        runs = read_runs(self._journal)
        for hand in hands:
            if hand.died_at is not None:
                bury(runs, hand.pid, hand.died_at)
        found = await audit(self._context, self._ledger.fates, runs)
        if not any(tally.recovered for tally in found.tallies.values()):
            self._problems.append("no job of the killed worker was recovered")
        found.problems[:0] = self._problems
        return found
