"""Every statement that workers, producers, orchestrators and charts send over and over, and what it may cost.

A row names the statement, prepares what it needs in a transaction that is rolled back, and says how many jobs
it is about: how many pages it may touch follows from that. Statements are those of `cuckmq.protocol`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from cuckmq.outcome import Outcome
from cuckmq.protocol import inspect, stat, workers
from cuckmq.protocol.cancel import cancel
from cuckmq.protocol.enqueue import Keys, Placement, enqueue
from cuckmq.protocol.exchange import Demand, claim_one, exchange
from cuckmq.protocol.find_circle import find_circle
from cuckmq.protocol.find_jobs import Filter, list_jobs, peek
from cuckmq.protocol.progress import Note, find_notes, note_progress
from cuckmq.protocol.purge import purge
from cuckmq.protocol.retry import retry
from cuckmq.protocol.settle import settle
from cuckmq.protocol.statement import Statement
from cuckmq.protocol.sweep import sweep
from cuckmq.protocol.tick import find_due, find_next, tick
from tests.support.session import Claimed, Session

LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
MANY: Final = 100


class Hand(NamedTuple):
    """A session, a worker of its own, and ids by name."""

    session: Session
    worker_id: int
    definition_ids: dict[str, int]
    channel_ids: dict[str, int]

    def put_in(self, number: int = MANY, **options: Any) -> list[int]:
        """Put jobs in where nobody else's wait."""
        return self.session.enqueue_many("FREE", ["1"] * number, **options)

    def claimed(self, number: int = MANY, **options: Any) -> list[Claimed]:
        """Put jobs in and claim them."""
        self.put_in(number, **options)
        return self.session.claim(self.worker_id, limit=number, channel_ids=[self.channel_ids["free"]])

    def outcomes(self, kind: Any, **options: Any) -> list[Outcome]:
        """Claim jobs, and give them this outcome."""
        return [Outcome(job.job_id, job.attempt, kind, **options) for job in self.claimed()]

    def demand(self, channel: str | None, limit: int = MANY, slice_: int = 1) -> Demand:
        """Ask for jobs of a channel, or of all."""
        channel_ids = None if channel is None else [self.channel_ids[channel]]
        return Demand(channel_ids, [*self.definition_ids.values()], limit, slice_)

    def claim(self, channel: str | None, slice_: int = 1) -> Statement[Any]:
        """Claim from a channel, or from all."""
        return exchange(self.worker_id, [], [], self.demand(channel, slice_=slice_))

    def glance(self, channel: str | None) -> Statement[Any]:
        """Glance at a channel, or at all."""
        return claim_one(self.worker_id, self.demand(channel))


class Verb(NamedTuple):
    """A statement that is sent again and again.

    Attributes:
        name: what it does.
        make: prepares, and makes the statement.
        jobs: how many jobs it is about.
        pages: how many pages each of them may touch; most are upper pages of indexes, touched again for each.
        rows: how many rows the answer has when every place is full; None where that is no matter.
    """

    name: str
    make: Callable[[Hand], Statement[Any]]
    jobs: int = MANY
    pages: int = 40
    rows: int | None = None

    @property
    def max_pages(self) -> int:
        """What it may touch in all; and some, to look at lanes, quotas and workers."""
        return 300 + self.jobs * self.pages


def _finish(hand: Hand) -> Statement[Any]:
    outcomes = hand.outcomes("succeeded", detail="1")
    return exchange(hand.worker_id, outcomes, [], hand.demand(None, 0))


def _settle(kind: str, **options: Any) -> Callable[[Hand], Statement[Any]]:
    return lambda hand: exchange(hand.worker_id, hand.outcomes(kind, **options), [], hand.demand(None, 0))


def _both(hand: Hand) -> Statement[Any]:
    return exchange(hand.worker_id, hand.outcomes("succeeded", detail="1"), [], hand.demand("ready"))


def _release(hand: Hand) -> Statement[Any]:
    hand.session.claim(hand.worker_id, limit=1, channel_ids=[hand.channel_ids["line"]])
    seats = [row[0] for row in hand.session.rows("select seat from {schema}.group_lease")]
    return exchange(hand.worker_id, [], seats, hand.demand(None, 0))


def _beat(hand: Hand) -> Statement[Any]:
    jobs = hand.claimed()
    ids, attempts = [job.job_id for job in jobs], [job.attempt for job in jobs]
    return workers.heartbeat(hand.worker_id, ids, attempts, latency_secs=0.001, beat_secs=2.5)


def _kill(hand: Hand) -> None:
    hand.claimed()
    hand.session.rows("update {schema}.worker set heartbeat_at = '2020-01-01' where id = %s", hand.worker_id)


def _rescue(hand: Hand) -> Statement[Any]:
    _kill(hand)
    return workers.rescue(job_group_unlock_secs=10_800, beat_secs=2.5)


def _reap(hand: Hand) -> Statement[Any]:
    _kill(hand)
    return workers.reap(job_group_unlock_secs=10_800, beat_secs=2.5)


def _recall(hand: Hand) -> Statement[Any]:
    hand.claimed()
    return workers.recall(hand.worker_id, [])


def _retire(hand: Hand) -> Statement[Any]:
    hand.claimed()
    return workers.retire_worker(hand.worker_id)


def _expire(hand: Hand) -> Statement[Any]:
    for job_id in hand.put_in(p_expires_secs=60.0):
        hand.session.rows("update {schema}.job set expires_at = '2020-01-01' where id = %s", job_id)
    return sweep(1000, is_thorough=False)


def _enqueue(number: int = MANY, name: str = "FREE", **options: Any) -> Callable[[Hand], Statement[Any]]:
    placement = Placement(**options)
    return lambda hand: enqueue(name, ["1"] * number, None, placement, is_silent=False)


def _enqueue_groups(hand: Hand) -> Statement[Any]:
    groups = [f"group {number}" for number in range(MANY)]
    return enqueue("LINE", ["1"] * MANY, groups, Placement(), is_silent=False)


def _enqueue_keys(hand: Hand) -> Statement[Any]:
    keys = Keys(keys=[f"new {number}" for number in range(MANY)], scope="live")
    return enqueue("ENDED", ["1"] * MANY, None, Placement(), keys, is_silent=False)


def _enqueue_duplicates(hand: Hand) -> Statement[Any]:
    keys = Keys(keys=[f"new {number}" for number in range(MANY)], scope="live")
    hand.session.enqueue_many("ENDED", ["1"] * MANY, p_unique_keys=keys.keys)
    return enqueue("ENDED", ["1"] * MANY, None, Placement(), keys, is_silent=False)


def _enqueue_children(hand: Hand) -> Statement[Any]:
    return enqueue("FREE", ["1"], None, Placement(needs_ids=hand.put_in()), is_silent=False)


def _finish_parents(hand: Hand) -> Statement[Any]:
    outcomes = hand.outcomes("succeeded", detail="1")
    for outcome in outcomes:
        hand.session.enqueue_many("FREE", ["1"], p_needs_ids=[outcome.job_id])
    return exchange(hand.worker_id, outcomes, [], hand.demand(None, 0))


def _cancel(**options: Any) -> Callable[[Hand], Statement[Any]]:
    return lambda hand: cancel(hand.put_in(1, **options)[0])


def _cancel_blocked(hand: Hand) -> Statement[Any]:
    return cancel(hand.put_in(1, p_needs_ids=hand.put_in(1))[0])


def _cancel_running(hand: Hand) -> Statement[Any]:
    return cancel(hand.claimed(1)[0].job_id)


def _retry(hand: Hand) -> Statement[Any]:
    hand.put_in(p_unique_keys=[f"again {number}" for number in range(MANY)])
    jobs = hand.session.claim(hand.worker_id, limit=MANY, channel_ids=[hand.channel_ids["free"]])
    outcomes = [Outcome(job.job_id, job.attempt, "failed", "declared", "{}") for job in jobs]
    statement = settle(hand.worker_id, outcomes)
    hand.session.rows(statement.sql, *statement.parameters)
    return retry([job.job_id for job in jobs])


def _list(**options: Any) -> Callable[[Hand], Statement[Any]]:
    return lambda hand: list_jobs(Filter(**options), after=None, limit=MANY, is_oldest_first=False)


def _tick(hand: Hand) -> Statement[Any]:
    return tick("hourly", LONG_AGO, [LONG_AGO], LONG_AGO + timedelta(hours=1))


def _note(hand: Hand) -> Statement[Any]:
    return note_progress(
        [Note(hand.worker_id, job.job_id, job.attempt, 0.5, "half", '{"a": 1}') for job in hand.claimed()]
    )


def _circle(hand: Hand) -> Statement[Any]:
    (parent,) = hand.put_in(1)
    (child,) = hand.put_in(1, p_needs_ids=[parent])
    return find_circle(parent, None, child)


WORK: Final = (
    # Workers
    Verb("claim", lambda hand: hand.claim("ready"), rows=100),
    Verb("claim from all channels", lambda hand: hand.claim(None), rows=100),
    Verb("claim what is due", lambda hand: hand.claim("due"), pages=60, rows=100),
    Verb("claim in a lane with limits", lambda hand: hand.claim("limited"), rows=100),
    Verb("claim turns of groups", lambda hand: hand.claim("line"), pages=60, rows=100),
    Verb("claim a slice of a group", lambda hand: hand.claim("line", slice_=100), pages=60, rows=100),
    Verb("claim where nothing is", lambda hand: hand.claim("free"), jobs=0),
    Verb("glance", lambda hand: hand.glance("ready"), jobs=1, rows=1),
    Verb("glance at all channels", lambda hand: hand.glance(None), jobs=1),
    Verb("glance at turns of groups", lambda hand: hand.glance("line"), jobs=1, rows=0),
    Verb("glance where nothing is", lambda hand: hand.glance("free"), jobs=0, rows=0),
    Verb("finish", _finish),
    Verb("finish and claim", _both, pages=80),
    Verb("finish what others wait for", _finish_parents, pages=200),
    Verb("settle errors", _settle("error", detail="{}", delay_secs=1.0)),
    Verb("settle failures", _settle("failed", reason="declared", detail="{}"), pages=60),
    Verb("settle cancellations", _settle("cancelled")),
    Verb("settle snoozes", _settle("snoozed", delay_secs=1.0)),
    Verb("release a group", _release, jobs=1),
    Verb("beat and look around", _beat, rows=1),
    Verb("note progress", _note),
    Verb("read notes", lambda hand: find_notes(60_000_007), jobs=1),
    Verb("rescue when all live", lambda hand: workers.rescue(
        job_group_unlock_secs=10_800, beat_secs=2.5), jobs=0),
    Verb("rescue", _rescue, pages=80),
    Verb("reap", _reap, pages=80),
    Verb("recall", _recall, pages=80),
    Verb("retire", _retire, pages=80),
    Verb("sweep when nothing is due", lambda hand: sweep(1000, is_thorough=False), jobs=20),
    Verb("sweep what expired", _expire, pages=200),
    Verb("find orphans", lambda hand: inspect.find_orphans(None, [hand.definition_ids["FREE"]]), jobs=2000,
        pages=60),
    # Orchestrators
    Verb("purge", lambda hand: purge(older_than_secs=0, limit=MANY), pages=80, rows=100),
    Verb("purge when nothing is old", lambda hand: purge(older_than_secs=1e9, limit=MANY), jobs=0),
    Verb("find due schedules", lambda hand: find_due([*hand.definition_ids.values()]), jobs=1, rows=1),
    Verb("find the next slot", lambda hand: find_next([*hand.definition_ids.values()], []), jobs=1),
    Verb("tick", _tick, jobs=1, rows=1),
    # Producers
    Verb("enqueue one", _enqueue(1), jobs=1),
    Verb("enqueue many", _enqueue()),
    Verb("enqueue later", _enqueue(delay_secs=60.0)),
    Verb("enqueue into groups", _enqueue_groups, pages=60),
    Verb("enqueue with keys", _enqueue_keys, pages=60),
    Verb("enqueue duplicates", _enqueue_duplicates),
    Verb("enqueue what waits for others", _enqueue_children),
    Verb("enqueue into a channel of bounded size", _enqueue(1, "SMALL"), jobs=1),
    Verb("cancel a job in line", _cancel(), jobs=1),
    Verb("cancel a scheduled job", _cancel(p_delay_secs=60.0), jobs=1),
    Verb("cancel a job of a group", _cancel(groups=["cancelled"]), jobs=1),
    Verb("cancel a blocked job", _cancel_blocked, jobs=1),
    Verb("cancel a running job", _cancel_running, jobs=1),
    Verb("retry", _retry, pages=60),
    Verb("wait for endings", lambda hand: inspect.find_endings([*hand.put_in(), 60_000_007])),
    Verb("look for a circle", _circle, jobs=1),
    Verb("look at jobs", lambda hand: inspect.find_jobs(hand.put_in()), pages=90, rows=100),
)  # fmt: skip
"""What workers, orchestrators and producers send."""

LOOKS: Final = (
    Verb("list the newest", _list(), pages=60, rows=100),
    Verb("list what runs", _list(states=["running"]), pages=60, rows=100),
    Verb("list what succeeded", _list(states=["succeeded"]), pages=60, rows=100),
    Verb("list what runs or waits", _list(states=["queued", "running", "blocked"], name="FREE"), pages=80),
    Verb("peek", lambda hand: peek("ready", limit=MANY), jobs=1100, rows=100),
    Verb("peek into groups", lambda hand: peek("line", limit=MANY), jobs=1100, rows=100),
    Verb("gauge channels", lambda hand: stat.gauge_channels(), jobs=80_000, pages=1),
    Verb("count workers", lambda hand: stat.count_workers(LONG_AGO), jobs=100),
    Verb("read statistics of an hour", lambda hand: stat.read_stats(
        since=datetime.now(UTC) - timedelta(hours=1), until=None, channel=None, definition=None), jobs=100),
    Verb("find what runs longest", lambda hand: stat.find_running(100), rows=100),
)  # fmt: skip
"""What charts and people ask."""
