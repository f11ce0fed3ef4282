"""One exchange with the queue: outcomes go, jobs come, and all who are concerned learn of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cuckmq._runtime.appetite import Appetite
from cuckmq._runtime.desk import Desk
from cuckmq._runtime.lookout import Lookout, places
from cuckmq._runtime.reporter import Reporter
from cuckmq._runtime.running import Ended
from cuckmq._runtime.session import Session
from cuckmq._runtime.tally import Tally
from cuckmq.context import Context
from cuckmq.protocol.exchange import Demand, Row, claim_one, exchange


class Exchanger:
    """Makes exchanges; when, and for how many jobs, the dispatcher decides.

    Args:
        context: whose definitions to ask for.
        session: with the queue.
        desk: gives what has ended, and gets what was claimed.
        tally: counts both.
        appetite: learns how long jobs take.
        lookout: knows from where to look, and learns when to look again.
        on_settled: told which ends the queue has heard, and what it answered.

    Attributes:
        claimed_at: when jobs were last asked for with success, by the monotonic clock; None before.
    """

    def __init__(
        self,
        context: Context,
        session: Session,
        desk: Desk,
        tally: Tally,
        *,
        appetite: Appetite,
        lookout: Lookout,
        on_settled: Callable[[list[Ended], list[Row]], None],
    ) -> None:
        self._context = context
        self._session = session
        self._desk = desk
        self._tally = tally
        self._appetite = appetite
        self._lookout = lookout
        self._on_settled = on_settled
        self._reporter = Reporter(context)
        self.claimed_at: float | None = None

    async def exchange(self, limit: int) -> bool:
        """Give what has ended, and ask for so many jobs. What could not be given lies on the desk again.

        Tells whether jobs that were let go of are among it, so that a recall is due.
        """
        ended, groups = self._desk.take_ended()
        outcomes = [each.outcome for each in ended if each.outcome is not None]
        began_at, worker_id = time.monotonic(), self._session.worker_id
        known, marks = list(self._context.known), self._lookout.marks(began_at)
        demand = Demand(
            self._session.channel_ids, known, limit, self._appetite.slice, marks, self._session.num_recalls
        )
        is_glance = not (ended or groups or self._desk.in_hand) and self._lookout.may_glance()
        try:
            rows = await self._session.run(
                claim_one(worker_id, demand)
                if is_glance
                else exchange(worker_id, outcomes, list(groups), demand)
            )
        except BaseException:
            self._desk.give_back(ended, groups)
            raise
        answered_at, answered_on = time.monotonic(), datetime.now(UTC)
        claimed = [row for row in rows if row.verdict is None]
        answered = [row for row in rows if row.verdict is not None]
        if worker_id != self._session.worker_id:
            claimed = []  # They are a worker's that was given up meanwhile, and go back with its lease.
        self._appetite.learn(len(ended), sum(each.duration_secs for each in ended), began_at)
        settled = self._desk.settled(ended)
        self._on_settled(ended, answered)
        self._desk.lay_down(claimed)
        if claimed:
            self._appetite.learn_kind(is_grouped=any(row.group_hash is not None for row in claimed))
        self._reporter.report(ended, groups, answered, claimed, worker_id)
        if 0 < len(claimed) < limit:
            await asyncio.sleep(0)  # There is nothing more to ask for at once, so the lanes go first.
        if limit > 0:
            self.claimed_at = answered_at
        if is_glance:
            self._lookout.glanced(has_found=bool(claimed), now=answered_at)
        else:
            self._look_ahead(answered, claimed, demand, began_at, answered_at)
        self._count(self._tally.ended, settled, answered)
        self._count(self._tally.claimed, claimed, answered_on)
        return any(each.outcome is None and each.attempt.ending == "stopping" for each in ended)

    def _count(self, count: Callable[..., None], *what: object) -> None:
        """Have something counted when the next exchange is on its way, and the lanes have work again."""
        asyncio.get_running_loop().call_soon(count, *what)

    def _look_ahead(
        self, answered: list[Row], claimed: list[Row], demand: Demand, began_at: float, now: float
    ) -> None:
        """Learn from an exchange when to look again."""
        if demand.limit > 0:
            due_secs = next((row.secs for row in answered if row.verdict == "due"), None)
            self._lookout.found(
                places(claimed),
                is_short=len(claimed) < demand.limit,
                began_at=began_at,
                now=now,
                due_secs=due_secs,
            )
        else:
            self._lookout.settled()
        if any(row.verdict == "scheduled" for row in answered):
            self._lookout.look_now(now)
