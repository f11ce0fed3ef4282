"""A machine that does what comes to its mind with the queue and with its model, and compares.

After each step every job must stand where the model has it, and check_invariants() must find nothing. What
a claim takes is not foretold, for between jobs and groups the queue may choose; it is judged: nothing that
should not run, nothing before what comes first, and nothing left behind that could run.

Nothing waits. Delays end because the rows are set back, and workers die because their beats are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet
from typing import Any

import psycopg
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cuckmq.database.run import run_sync
from cuckmq.limits import Limits
from cuckmq.outcome import Outcome
from cuckmq.protocol import inspect, workers
from cuckmq.protocol.cancel import cancel
from cuckmq.protocol.deploy import Deployment, deploy
from cuckmq.protocol.enqueue import Keys, Placement, enqueue
from cuckmq.protocol.exchange import Demand, Row, claim_one, exchange
from cuckmq.protocol.limits import pause_channel
from cuckmq.protocol.purge import purge
from cuckmq.protocol.retry import retry
from cuckmq.protocol.statement import Statement, only
from cuckmq.protocol.sweep import sweep
from tests.stateful.model import NUM_ATTEMPTS, NUM_STALLS, Job, Model

CHANNELS = ("mail", "video")
# No two of one priority: among those the queue chooses by chance, and a run could not be repeated.
LANES = (("mail", 0, ""), ("video", 1, ""), ("mail", 2, ""), ("video", 3, ""))
LIMITED = "LIMITED"
ERROR = '{"type": "ValueError", "message": "no"}'
TABLES = (
    "job", "scheduled", "ready", "waiting", "blocked", "dependency", "running", "cancellation", "finalized",
    "group_lease", "slot", "unique_key", "worker", "worker_loss",
)  # fmt: skip

JOBS = Statement("select id, state, attempt, is_cancel_requested from {schema}.all_job", (), tuple)
COME_DUE = Statement(
    """
    with moved as (
        update {schema}.scheduled s set run_at = now() + o.place * interval '1 microsecond'
        from (select ctid as at, row_number() over (order by run_at, job_id) as place
              from {schema}.scheduled) o
        where s.ctid = o.at returning s.job_id, s.run_at
    )
    update {schema}.job j set run_at = m.run_at from moved m where j.id = m.job_id returning j.id
    """,
    (),
    only,
)


def _silence(worker: int) -> Statement[int]:
    return Statement(
        "update {schema}.worker set lease_secs = 0.000001, heartbeat_at = now() - interval '1 hour'"
        " where id = %s returning id",
        (worker,),
        only,
    )


def _overdue(job_id: int) -> Statement[int]:
    return Statement(
        "update {schema}.job set expires_at = now() - interval '1 second' where id = %s returning id",
        (job_id,),
        only,
    )


class Machine(RuleBasedStateMachine):
    """The queue in a schema that is there; it is emptied before each run."""

    connection: psycopg.Connection[Any]
    schema: str

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.past: list[tuple[int, int, int]] = []  # attempts that are over: worker, job, number
        self.seats: dict[int, int | None] = {}
        self.num_recalls: Counter[int] = Counter()

    def ask(self, statement: Statement[Any]) -> list[Any]:
        self.model.now += 0.001
        return run_sync(self.connection, statement, self.schema)

    @initialize()
    def begin(self) -> None:
        emptied = " ".join(f"delete from {{schema}}.{table};" for table in TABLES)
        self.connection.execute(Statement(emptied, (), only).text(self.schema))
        self.definitions = {}
        for name, limits in {"PLAIN": None, LIMITED: Limits(concurrency=1)}.items():
            deployment = Deployment(
                channel=CHANNELS[0], priority=0, delay_secs=0.0, num_attempts=NUM_ATTEMPTS,
                num_stalls=NUM_STALLS, num_failures=2**31 - 1, limits=limits,
            )  # fmt: skip
            (self.definitions[name],) = self.ask(deploy(name, deployment))
        for channel in CHANNELS:
            if self._is_known(channel):
                self.ask(pause_channel(channel, is_paused=False))
        self.workers = [self._register(), self._register()]

    def _is_known(self, channel: str) -> bool:
        known = Statement("select true from {schema}.channel where name = %s", (channel,), only)
        return bool(self.ask(known))

    def _register(self) -> int:
        statement = workers.register_worker(
            name="w", host="h", pid=1, version="0", concurrency=1, channels=None, lease_secs=3600.0
        )
        worker: int = self.ask(statement)[0].worker_id
        return worker

    @rule(
        lane=st.sampled_from(LANES),
        group=st.sampled_from([None, None, "a", "b"]),
        delay_secs=st.sampled_from([0.0, 0.0, 0.0, 60.0, 3600.0]),
        num_failures=st.sampled_from([None, None, 2]),
        may_expire=st.booleans(),
    )
    def put_in(self, lane: tuple[str, int, str], **options: Any) -> None:
        self._put("PLAIN", lane, **options)

    @rule(num=st.integers(2, 4), lane=st.sampled_from(LANES), group=st.sampled_from([None, "a"]))
    def put_in_several(self, num: int, lane: tuple[str, int, str], group: str | None) -> None:
        for _ in range(num):
            self._put("PLAIN", lane, group=group)

    @rule(numbers=st.permutations([0, 1]), lane=st.sampled_from(LANES), limit=st.sampled_from([1, 100]))
    def compete_for_a_group(self, numbers: list[int], lane: tuple[str, int, str], limit: int) -> None:
        """A group that somebody may serve gets more jobs, and both workers ask for them."""
        for number in numbers:
            self._put("PLAIN", lane, group="b")
            self._claim(self.workers[number], limit)

    @rule(num=st.integers(1, 3), priority=st.integers(0, 1))
    def put_in_limited(self, num: int, priority: int) -> None:
        for _ in range(num):
            self._put(LIMITED, (CHANNELS[0], priority, LIMITED))

    @rule(key=st.sampled_from(["k", "l"]), scope=st.sampled_from(["live", "queued"]))
    def put_in_with_key(self, key: str, scope: str) -> None:
        self._put("PLAIN", LANES[0], key=(key, scope))

    @precondition(lambda self: self.model.live())
    @rule(data=st.data(), policy=st.sampled_from(["fail", "cancel", "run"]))
    def put_in_behind_others(self, data: st.DataObject, policy: str) -> None:
        ids = sorted(job.id for job in self.model.live())
        needs = data.draw(st.sets(st.sampled_from(ids), min_size=1, max_size=2))
        self._put("PLAIN", LANES[0], needs=needs, policy=policy)

    def _put(
        self,
        definition: str,
        lane: tuple[str, int, str],
        *,
        delay_secs: float = 0.0,
        group: str | None = None,
        key: tuple[str, str] | None = None,
        needs: AbstractSet[int] = frozenset(),
        policy: str = "fail",
        may_expire: bool = False,
        num_failures: int | None = None,
    ) -> None:
        where = Placement(
            delay_secs=delay_secs, channel=lane[0], priority=lane[1], needs_ids=sorted(needs),
            on_dependency_failure=policy, expires_secs=7200.0 if may_expire else None,
            num_failures=num_failures,
        )  # fmt: skip
        keys = Keys(keys=[key[0]], scope=key[1]) if key else Keys()
        ((job_id,),) = self.ask(enqueue(definition, ["1"], [group], where, keys, is_silent=True))
        holder = self.model.holder_of(definition, key[0]) if key else None
        if holder is not None:
            assert job_id == -holder, f"job {-job_id} is named as the holder of {key}, not {holder}"
            return
        assert job_id > 0, f"job {-job_id} is named as the holder of {key}, which is free"
        job = Job(
            id=job_id, definition=definition, lane=lane, group=group, key=key, needs=set(needs),
            policy=policy, may_expire=may_expire, num_failures=num_failures or 2**31 - 1,
        )  # fmt: skip
        self.model.enqueue(job, delay_secs)

    @rule(number=st.integers(0, 1), limit=st.sampled_from([1, 3, 100]))
    def claim(self, number: int, limit: int) -> None:
        """Claim; with room for all, until nothing is left that could be had. Turns may come to nothing."""
        for _ in range(6):
            self._claim(self.workers[number], limit)
            if limit < 100 or not self._left_behind():
                break
        else:
            raise AssertionError(f"nobody takes {self._left_behind()}")
        if limit == 100:
            self.model.promote_due()

    def _left_behind(self) -> list[Job]:
        full = {LIMITED} if any(job.definition == LIMITED for job in self.model.running()) else set()
        return self.model.may_be_claimed(full)

    @rule(number=st.integers(0, 1))
    def glance(self, number: int) -> None:
        """Take one job, if a plain one stands first. What came due stands in no line yet."""
        worker = self.workers[number]
        demand = Demand(None, list(self.definitions.values()), num_recalls=self.num_recalls[worker])
        rows = self.ask(claim_one(worker, demand))
        queued = [job for job in self.model.may_be_claimed() if job.state != "scheduled"]
        assert all(row.group_hash is None and not row.is_suspect for row in rows)
        assert len(rows) <= 1
        self._take(worker, rows, queued)

    def _claim(self, worker: int, limit: int) -> None:
        rows = [row for row in self._exchange(worker, limit=limit) if row.verdict is None]
        self._take(worker, rows, self.model.may_be_claimed())

    def _take(self, worker: int, rows: list[Row], claimable: list[Job]) -> None:
        candidates = {job.id: job for job in claimable}
        assert all(row.job_id in candidates for row in rows), f"{rows} of {candidates}"
        jobs = [candidates[row.job_id] for row in rows]
        if any(job.is_suspect and job.group is None for job in jobs):
            assert len(jobs) == 1, f"a suspect among {jobs}"
        elif not any(row.is_suspect for row in rows):
            self._judge_order(jobs, list(candidates.values()))
        for job in jobs:
            assert job.group is None or self.model.is_first(job), f"{job} is not the first of its line"
        for row, job in zip(rows, jobs, strict=True):
            self.model.claim(job, worker)
            self.seats[job.id] = row.group_hash
            assert row.attempt == job.attempt, f"attempt {row.attempt} of {job}"
            assert row.error_count == job.errors
        assert sum(job.definition == LIMITED for job in self.model.running()) <= 1, "more than the limit"
        for job in self.model.live("scheduled"):  # what the claim has moved, it moved in this order
            job.state = self._state_of(job)

    def _judge_order(self, jobs: list[Job], candidates: list[Job]) -> None:
        """In each lane the earliest, and none of a lower priority before one of a higher."""
        ungrouped = [job for job in candidates if job.group is None and not job.is_suspect]
        for lane in {job.lane for job in jobs}:
            places = [job.place for job in jobs if job.lane == lane and job.group is None]
            best = sorted(job.place for job in ungrouped if job.lane == lane)
            assert places == best[: len(places)], f"{places} of {best} in {lane}"
        plain = [job.lane[1] for job in jobs if job.group is None and job.definition != LIMITED]
        left = [job.lane[1] for job in ungrouped if job not in jobs and job.definition != LIMITED]
        assert not (plain and left) or min(plain) >= max(left), f"{plain} taken, {left} left"

    def _state_of(self, job: Job) -> str:
        """Tell whether a due job was moved into line: a claim moves as many as it has room for."""
        (row,) = run_sync(self.connection, inspect.find_jobs([job.id]), self.schema)
        return row.state if job.place <= self.model.now + 1 and row.state == "queued" else job.state

    def _exchange(
        self, worker: int, outcomes: tuple[Outcome, ...] = (), groups: tuple[int, ...] = (), limit: int = 0
    ) -> list[Row]:
        demand = Demand(None, list(self.definitions.values()), limit, num_recalls=self.num_recalls[worker])
        return self.ask(exchange(worker, outcomes, groups, demand))

    @precondition(lambda self: self.model.running())
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "error", "error", "cancelled", "snoozed"]))
    def settle(self, data: st.DataObject, outcome: str) -> None:
        job = self._draw(data, self.model.running())
        worker, others = job.worker, [other for other in self.model.running(job.worker) if other is not job]
        assert worker is not None
        is_last = job.group is not None and all(other.group != job.group for other in others)
        detail = {"succeeded": "1", "error": ERROR}.get(outcome)
        given = Outcome(job.id, job.attempt, outcome, "error" if outcome == "error" else None, detail, 60.0)
        seat = self.seats[job.id]
        rows = self._exchange(worker, (given,), (seat,) if is_last and seat is not None else ())
        verdicts = {row.verdict for row in rows if row.job_id == job.id}
        self.past.append((worker, job.id, job.attempt))
        state = self.model.settle(job, outcome)
        assert verdicts <= {state, "exhausted"}, f"{verdicts}, not {state}"
        assert verdicts or state == "succeeded", f"no verdict for {state}"
        if is_last and job.group is not None:
            del self.model.holders[job.group]

    @precondition(lambda self: self.past)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "error"]))
    def settle_what_is_over(self, data: st.DataObject, outcome: str) -> None:
        """The fence: what comes twice, or from who lost the job, changes nothing."""
        again = {job.id for job in self.model.running()}
        past = [each for each in self.past if each[1] in again] or self.past
        worker, job_id, attempt = data.draw(st.sampled_from(past))
        given = Outcome(job_id, attempt, outcome, None, "1" if outcome == "succeeded" else ERROR, 60.0)
        assert [row.verdict for row in self._exchange(worker, (given,))] == ["lost"]

    @rule(number=st.integers(0, 1))
    def beat(self, number: int) -> None:
        jobs = self.model.running(self.workers[number])
        statement = workers.heartbeat(
            self.workers[number], [job.id for job in jobs], [job.attempt for job in jobs], latency_secs=None,
            beat_secs=2.5,
        )  # fmt: skip
        (pulse,) = self.ask(statement)
        assert (pulse.is_alive, pulse.lost_job_ids) == (True, [])
        assert sorted(pulse.cancelled_job_ids) == sorted(job.id for job in jobs if job.is_cancel_requested)

    @rule(number=st.integers(0, 1))
    def lose_a_worker(self, number: int) -> None:
        """It is silent for too long, is taken for dead, and comes back as another."""
        self._lose(number)

    @precondition(lambda self: self.model.running())
    @rule(number=st.integers(0, 1))
    def lose_a_worker_that_wakes(self, number: int) -> None:
        """Another has its jobs by then; what it says of them is lost, and changes nothing."""
        worker = self.workers[number]
        given_up = [(job.id, job.attempt) for job in self.model.running(worker)]
        self._lose(number)
        self._claim(self.workers[1 - number], 100)
        for job_id, attempt in given_up:
            given = Outcome(job_id, attempt, "succeeded", None, "1", None)
            assert [row.verdict for row in self._exchange(worker, (given,))] == ["lost"]

    def _lose(self, number: int) -> None:
        worker = self.workers[number]
        held = self.model.running(worker)
        self.past += [(worker, job.id, job.attempt) for job in held]
        self.ask(_silence(worker))
        reaped = self.ask(workers.rescue(job_group_unlock_secs=10_800.0, beat_secs=2.5))
        assert sorted(row.job_id for row in reaped if row.job_id) == sorted(job.id for job in held)
        self.model.take_back(worker, is_stall=True)
        (pulse,) = self.ask(workers.heartbeat(worker, [], [], latency_secs=None, beat_secs=2.5))
        assert not pulse.is_alive
        self.workers[number] = self._register()

    @rule(number=st.integers(0, 1))
    def let_go(self, number: int) -> None:
        worker = self.workers[number]
        self.past += [(worker, job.id, job.attempt) for job in self.model.running(worker)]
        self.num_recalls[worker] += 1
        self.ask(workers.recall(worker, [], self.num_recalls[worker]))
        self.model.take_back(worker, is_stall=False)

    @rule()
    def let_time_pass(self) -> None:
        self.ask(COME_DUE)
        self.model.come_due()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = self._draw(data, list(self.model.jobs.values()))
        (answer,) = self.ask(cancel(job.id))
        assert answer == self.model.cancel(job)

    @precondition(lambda self: self._ended("failed", "cancelled"))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job = self._draw(data, self._ended("failed", "cancelled"))
        (answer,) = self.ask(retry([job.id]))
        assert answer.verdict == self.model.retry(job)

    @precondition(lambda self: any(job.may_expire for job in self.model.live()))
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        job = self._draw(data, [job for job in self.model.live() if job.may_expire])
        assume(job.state != "running")
        self.ask(_overdue(job.id))
        assert [row.job_id for row in self.ask(sweep(100, is_thorough=True))][:1] == [job.id]
        job.attempt = job.num_done
        self.model.end(job, "failed")

    @rule(channel=st.sampled_from(CHANNELS))
    def pause_or_resume(self, channel: str) -> None:
        assume(self._is_known(channel))
        self.ask(pause_channel(channel, is_paused=channel not in self.model.paused))
        self.model.paused ^= {channel}

    @precondition(lambda self: self._ended("succeeded", "failed", "cancelled"))
    @rule()
    def purge(self) -> None:
        purged = self.ask(purge(older_than_secs=0.0, limit=1000))
        ended = self._ended("succeeded", "failed", "cancelled")
        assert sorted(purged) == sorted(job.id for job in ended)
        for job in ended:
            del self.model.jobs[job.id]

    def _ended(self, *states: str) -> list[Job]:
        return [job for job in self.model.jobs.values() if job.state in states]

    @staticmethod
    def _draw(data: st.DataObject, jobs: list[Job]) -> Job:
        return data.draw(st.sampled_from(sorted(jobs, key=lambda job: job.id)))

    @invariant()
    def every_job_is_where_it_should_be(self) -> None:
        found = {row[0]: row[1:] for row in run_sync(self.connection, JOBS, self.schema)}
        assert found == {
            job.id: (job.state, self.model.attempt_of(job), job.is_cancel_requested)
            for job in self.model.jobs.values()
        }
        assert run_sync(self.connection, inspect.find_problems(), self.schema) == []
