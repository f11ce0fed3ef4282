"""Jobs that wait for others, in the queue's SQL (need, unblock, place, unblock_stragglers)."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome


def put(queue: Queue, *needs_ids: int, **options: Any) -> int:
    return queue.eye.enqueue("PING", needs_ids=list(needs_ids), **options)


def work_off(queue: Queue) -> list[int]:
    """Claim and settle until nothing is left; the jobs in the order in which they came."""
    worker_id = queue.eye.register()
    order: list[int] = []
    while jobs := queue.eye.claim(worker_id):
        order += [job.job_id for job in jobs]
        queue.eye.succeed(worker_id, jobs)
    return order


def fail(queue: Queue, job_id: int) -> None:
    worker_id = queue.eye.register()
    (job,) = [each for each in queue.eye.claim(worker_id) if each.job_id == job_id]
    queue.eye.settle(worker_id, [Outcome(job_id, job.attempt, "failed", "declared", ERROR)])
    queue.eye.retire(worker_id)


def stragglers(queue: Queue, *, is_thorough: bool = False) -> list[tuple[Any, ...]]:
    return queue.eye.rows("select * from {schema}.unblock_stragglers(%s)", is_thorough)


def test_a_job_waits_for_all_it_needs(queue: Queue) -> None:
    """E31: chains, fans out and fans in; it stands as blocked."""
    queue.eye.deploy("PING")
    first, second = put(queue), put(queue)
    last = put(queue, first, second)
    after_last = put(queue, last, job_group="a")
    later = put(queue, first, delay_secs=60)
    assert [queue.state(job_id) for job_id in (first, last, after_last, later)] == [
        "queued", "blocked", "blocked", "blocked",
    ]  # fmt: skip
    worker_id = queue.eye.register()
    one, two = queue.eye.claim(worker_id)
    assert queue.eye.claim(worker_id) == []
    queue.eye.succeed(worker_id, [one])
    assert queue.state(last) == "blocked"
    assert queue.state(later) == "scheduled"
    queue.eye.succeed(worker_id, [two])
    assert queue.state(last) == "queued"
    assert work_off(queue) == [last, after_last]


@pytest.mark.parametrize(
    ("policy", "state", "reason"),
    [("fail", "failed", "dependency_failed"), ("cancel", "cancelled", None), ("run", "queued", None)],
)
def test_what_becomes_of_a_job_is_its_own_policy(
    queue: Queue, policy: str, state: str, reason: str | None
) -> None:
    """E31: at once, though another that it waits for is open still; before it was put in, too."""
    queue.eye.deploy("PING")
    bad, cancelled, other = put(queue), put(queue), put(queue, delay_secs=60)
    child = put(queue, bad, on_dependency_failure=policy)
    of_cancelled = put(queue, cancelled, on_dependency_failure=policy)
    of_two = put(queue, bad, other, on_dependency_failure=policy)
    assert queue.eye.cancel(cancelled) == "cancelled"
    assert queue.state(of_cancelled) == state
    fail(queue, bad)
    afterwards = put(queue, bad, on_dependency_failure=policy)
    for job_id in (child, afterwards):
        assert (queue.state(job_id), queue.job(job_id, "reason")) == (state, reason)
    assert queue.state(of_two) == ("blocked" if policy == "run" else state)


def test_a_failure_goes_down_a_chain_of_any_length(queue: Queue) -> None:
    """E31: two thousand, without recursion; each with its own policy."""
    queue.eye.deploy("PING")
    top = put(queue)
    chain = [top]
    for number in range(2000):
        chain.append(put(queue, chain[-1], on_dependency_failure="cancel" if number % 2 else "fail"))
    survivor = put(queue, chain[-1], on_dependency_failure="run")
    fail(queue, top)
    rows = queue.eye.rows("select state, count(*) from {schema}.finalized group by state order by state")
    assert rows == [("cancelled", 1000), ("failed", 1001)]
    assert work_off(queue) == [survivor]
    assert queue.counts() == {}


def test_who_settles_is_told_what_ended_with_it(queue: Queue) -> None:
    """E31, I8: with the name, for the worker may not know the definition."""
    queue.eye.deploy("PING")
    bad = put(queue)
    failed, cancelled = put(queue, bad), put(queue, bad, on_dependency_failure="cancel")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    rows = queue.eye.rows(
        "select * from {schema}.settle(%s, %s, %s, '{failed}', '{declared}', '{null}', '{0}', '{}')",
        worker_id, [bad], [job.attempt],
    )  # fmt: skip
    assert set(rows) == {
        (bad, "failed", None),
        (failed, "dependency_failed", "PING"),
        (cancelled, "dependency_cancelled", "PING"),
    }


def test_two_that_end_at_the_same_moment_open_the_third(queue: Queue) -> None:
    """E31: the second look waits for the first to commit, or both would find the other open."""
    queue.eye.deploy("PING")
    parents = [put(queue), put(queue)]
    child = put(queue, *parents)
    one, two = queue.session(), queue.session()
    first, second = one.register(), two.register()
    (held,), (other,) = one.claim(first, limit=1), two.claim(second, limit=1)
    one.begin()
    one.succeed(first, [held])
    settling = two.start(two.succeed, second, [other])
    queue.wait_until_blocked(two, by=one)
    one.commit()
    settling.result()
    assert queue.state(child) == "queued"


def test_a_producer_holds_up_nobody(queue: Queue) -> None:
    """E31: it takes no lock of the job it names; what nobody saw, a sweep finds."""
    queue.eye.deploy("PING")
    parent = put(queue)
    producer = queue.session()
    producer.begin()
    child = producer.enqueue("PING", needs_ids=[parent])
    bad = producer.enqueue("PING", needs_ids=[parent], delay_secs=3600)
    assert work_off(queue) == [parent]
    producer.commit()
    assert queue.state(child) == "blocked"
    assert stragglers(queue) == []
    assert (queue.state(child), queue.state(bad)) == ("queued", "scheduled")

    producer.begin()
    overlooked = producer.enqueue("PING", needs_ids=[child])
    assert work_off(queue) == [child]
    producer.commit()
    queue.eye.rows("update {schema}.blocked set created_at = now() - interval '2 hours'")
    assert stragglers(queue) == []
    assert queue.state(overlooked) == "blocked"
    stragglers(queue, is_thorough=True)
    assert queue.state(overlooked) == "queued"


def test_different_ones_that_wait_hold_up_nobody(queue: Queue) -> None:
    """E31: who ends a job locks what waits for that one, and not what waits for others."""
    queue.eye.deploy("PING", p_num_stalls=0)
    cancelled, stalled, ended = put(queue), put(queue), put(queue)
    children = [put(queue, each) for each in (cancelled, stalled, ended)]
    canceller = queue.session()
    canceller.begin()
    assert canceller.cancel(cancelled) == "cancelled"
    queue.eye.rows("set lock_timeout = '400ms'")
    dead, alive = queue.eye.register(), queue.eye.register()
    assert [job.job_id for job in queue.eye.claim(dead, limit=1)] == [stalled]
    queue.silence(dead)
    assert queue.eye.rescue() == {stalled: "failed"}
    queue.eye.succeed(alive, queue.eye.claim(alive))
    assert [queue.state(child) for child in children] == ["blocked", "failed", "queued"]
    canceller.commit()
    assert queue.state(children[0]) == "failed"


def test_a_producer_that_names_one_that_has_ended_holds_up_nobody(queue: Queue) -> None:
    """E31, C7: its transaction stays open, and others end jobs that are waited for."""
    queue.eye.deploy("PING")
    ended = put(queue)
    assert work_off(queue) == [ended]
    other = put(queue)
    child = put(queue, other)
    producer = queue.session()
    producer.begin()
    late = producer.enqueue("PING", needs_ids=[ended])
    queue.eye.rows("set lock_timeout = '400ms'")
    assert work_off(queue) == [other, child]
    producer.commit()
    assert work_off(queue) == [late]


def test_one_that_is_being_cancelled_is_passed_over(queue: Queue) -> None:
    """E31, C10: after a moment; and if that is rolled back, the sweep opens it."""
    queue.eye.deploy("PING")
    parent = put(queue)
    child = put(queue, parent)
    canceller = queue.session()
    canceller.begin()
    assert canceller.cancel(child) == "cancelled"
    assert work_off(queue) == [parent]
    canceller.rollback()
    assert queue.state(child) == "blocked"
    stragglers(queue)
    assert work_off(queue) == [child]


def test_a_circle_of_a_canceller_and_a_worker_comes_apart(queue: Queue) -> None:
    """E31, C10: one cancels two jobs in a transaction, the other ends the second of them; both go on."""
    queue.eye.deploy("PING")
    first, second, third = put(queue), put(queue), put(queue)
    child = put(queue, first, third, on_dependency_failure="run")
    worker, canceller = queue.session(), queue.session()
    for each in (worker, canceller):
        each.rows("set deadlock_timeout = '1s'")  # as it is by default
    worker_id = worker.register()
    jobs = worker.claim(worker_id)
    queue.eye.rows("select {schema}.recall(%s, %s)", worker_id, [second, third])
    canceller.begin()
    assert canceller.cancel(first) == "cancelled"
    settling = worker.start(worker.succeed, worker_id, [job for job in jobs if job.job_id != first])
    queue.wait_until_blocked(worker, by=canceller)
    assert canceller.cancel(second) is None
    settling.result()
    canceller.commit()
    stragglers(queue)
    assert work_off(queue) == [child]


def test_what_ended_while_it_was_in_hand_of_another_counts(queue: Queue) -> None:
    """E31: neither the success nor the failure could be acted on; the sweep sees both."""
    queue.eye.deploy("PING")
    good, bad = put(queue), put(queue)
    child = put(queue, good, bad)
    holder = queue.session()
    holder.begin()
    holder.rows("select from {schema}.job where id = %s for update", child)
    worker_id = queue.eye.register()
    jobs = {job.job_id: job for job in queue.eye.claim(worker_id)}
    queue.eye.succeed(worker_id, [jobs[good]])
    queue.eye.settle(worker_id, [Outcome(bad, jobs[bad].attempt, "failed", "declared", ERROR)])
    assert queue.state(child) == "blocked"
    holder.commit()
    assert stragglers(queue) == [(child, "PING", "failed")]


def test_a_blocked_job_can_be_cancelled_and_expires(queue: Queue) -> None:
    """E31, C10, E18: and those that wait for it end with it."""
    queue.eye.deploy("PING")
    parent = put(queue)
    child = put(queue, parent)
    grandchild = put(queue, child)
    assert queue.eye.cancel(child) == "cancelled"
    assert queue.state(grandchild) == "failed"
    late = put(queue, parent, expires_secs=60.0)
    after_late = put(queue, late, on_dependency_failure="run")
    queue.eye.rows("update {schema}.job set expires_at = now() - interval '1 s' where expires_at is not null")
    queue.eye.rows("select {schema}.expire()")
    assert (queue.state(late), queue.job(late, "reason")) == ("failed", "expired")
    assert set(work_off(queue)) == {parent, after_late}


def test_a_rescue_that_fails_a_job_fails_what_waits_for_it(queue: Queue) -> None:
    """E31, F6."""
    queue.eye.deploy("PING", p_num_stalls=0)
    parent = put(queue)
    child = put(queue, parent)
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    queue.silence(worker_id)
    assert queue.eye.rescue() == {parent: "failed"}
    assert queue.state(child) == "failed"


def test_who_is_waited_for_is_filed_though_nothing_is_kept(queue: Queue) -> None:
    """E31, L2: until it was seen how it ended; and is purged then."""
    queue.eye.deploy("BRIEF", p_keep_succeeded_secs=0)
    queue.eye.deploy("PING")
    parents = [queue.eye.enqueue("BRIEF") for _ in range(2)]
    child = put(queue, *parents)
    worker_id = queue.eye.register()
    for job in queue.eye.claim(worker_id):
        queue.eye.succeed(worker_id, [job])
    assert queue.state(child) == "queued"
    assert set(queue.eye.purge(3600.0)) == set(parents)
    assert work_off(queue) == [child]


@pytest.mark.parametrize(
    ("options", "outcome", "state"),
    [
        ({"p_keep_succeeded_secs": 0}, "succeeded", "queued"),
        ({"p_keep_succeeded_secs": 60, "p_keep_failed_secs": 0}, "failed", "failed"),
        ({"p_keep_succeeded_secs": 0, "p_keep_failed_secs": 0}, "succeeded", "failed"),
    ],
)
def test_who_is_gone_without_a_trace_ended_in_the_way_that_is_forgotten(
    queue: Queue, options: dict[str, Any], outcome: str, state: str
) -> None:
    """E31, L2: nothing was kept, as the dependency was not committed yet; where nobody knows, it failed."""
    queue.eye.deploy("BRIEF", **options)
    queue.eye.deploy("PING")
    parent = queue.eye.enqueue("BRIEF")
    producer = queue.session()
    producer.begin()
    child = producer.enqueue("PING", needs_ids=[parent])
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    if outcome == "failed":
        queue.eye.settle(worker_id, [Outcome(parent, job.attempt, "failed", "declared", ERROR)])
    else:
        queue.eye.succeed(worker_id, [job])
    producer.commit()
    assert queue.state(parent) is None
    stragglers(queue)
    assert queue.state(child) == state


def test_a_purge_spares_who_is_still_waited_for(queue: Queue) -> None:
    """E31, L1: its end was overlooked, and its time is over before the sweep has come."""
    queue.eye.deploy("PING")
    parent = put(queue)
    producer = queue.session()
    producer.begin()
    child = producer.enqueue("PING", needs_ids=[parent])
    assert work_off(queue) == [parent]
    producer.commit()
    assert queue.eye.purge(0.0) == []
    stragglers(queue)
    assert queue.state(child) == "queued"
    assert queue.eye.purge(0.0) == [parent]


def test_parents_and_children_in_one_transaction(queue: Queue) -> None:
    """E31, C7: all or nothing."""
    queue.eye.deploy("PING")
    producer = queue.session()
    for end in (producer.rollback, producer.commit):
        producer.begin()
        parent = producer.enqueue("PING")
        children = producer.enqueue_many("PING", ["1"] * 3, p_needs_ids=[parent])
        end()
    assert work_off(queue) == [parent, *children]


@pytest.mark.parametrize(
    ("options", "sqlstate"),
    [({"needs_ids": [999]}, "CQ408"), ({"needs_ids": [1], "on_dependency_failure": "hope"}, "CQ003")],
)
def test_what_cannot_be_waited_for(queue: Queue, options: dict[str, Any], sqlstate: str) -> None:
    """E31: said at once, and nothing was put in."""
    queue.eye.deploy("PING")
    assert put(queue) == 1
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.enqueue("PING", **options)
    assert caught.value.sqlstate == sqlstate
    assert queue.count("job") == 1


def test_a_graph_is_worked_off_in_its_order(queue: Queue) -> None:
    """E31: five hundred jobs, groups and delays among them, by two workers; none before what it needs."""
    queue.eye.deploy("PING")
    dice = random.Random(7)
    needs: dict[int, list[int]] = {}
    for _ in range(500):
        chosen = dice.sample(list(needs), min(len(needs), dice.choice([0, 1, 1, 2, 5])))
        group = dice.choice([None, None, "a", "b"])
        needs[put(queue, *chosen, job_group=group)] = chosen
    workers = [queue.eye.register(), queue.eye.register()]
    ended: set[int] = set()
    num_empty = 0
    while len(ended) < 500:
        worker_id = dice.choice(workers)
        jobs = queue.eye.claim(worker_id, limit=dice.randint(1, 9), slice=3)
        num_empty = 0 if jobs else num_empty + 1  # turns may be stale, and vanish
        assert num_empty < 50, "nothing to do, and yet not all is done"
        for job in jobs:
            assert set(needs[job.job_id]) <= ended
        queue.eye.succeed(worker_id, jobs)
        ended |= {job.job_id for job in jobs}
    assert work_off(queue) == []
    assert queue.counts() == {}
