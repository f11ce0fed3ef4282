"""rescue(): whose worker is dead goes back to the line, and nobody waits for the dead."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.eventually import eventually_sync
from tests.support.queue import Queue
from tests.support.session import ERROR, Claimed, Outcome


def lose(queue: Queue) -> list[Claimed]:
    """Claim what there is for a new worker, and let that worker die."""
    worker_id = queue.eye.register()
    jobs = queue.eye.claim(worker_id, slice=10)
    queue.silence(worker_id)
    queue.eye.rescue()
    return jobs


def test_a_dead_workers_jobs_go_back_to_where_they_stood(queue: Queue) -> None:
    """E13, E16: before all that came later, grouped and not."""
    queue.eye.deploy("PING")
    lost = [queue.eye.enqueue("PING"), queue.eye.enqueue("PING", job_group="a")]
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    later = [queue.eye.enqueue("PING"), queue.eye.enqueue("PING", job_group="b")]
    queue.silence(worker_id)
    assert queue.eye.rescue() == dict.fromkeys(lost, "queued")
    assert queue.count("worker") == 0
    assert queue.count("group_lease") == 0
    other = queue.eye.register()
    assert {job.job_id for job in queue.eye.claim(other, limit=2)} == set(lost)
    assert {job.job_id for job in queue.eye.claim(other, limit=2)} == set(later)


def test_the_living_are_left_alone(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    queue.eye.claim(queue.eye.register())
    assert queue.eye.rescue() == {}
    assert queue.state(job_id) == "running"


def test_a_crash_is_no_error(queue: Queue) -> None:
    """F1, F6: a job that is allowed one try is not failed because its worker was lost."""
    queue.eye.deploy("PING", p_num_attempts=1)
    job_id = queue.eye.enqueue("PING")
    lose(queue)
    assert (queue.job(job_id, "error_count"), queue.job(job_id, "stall_count")) == (0, 1)
    worker_id = queue.eye.register()
    assert queue.eye.succeed(worker_id, queue.eye.claim(worker_id)) == {}
    assert queue.state(job_id) == "succeeded"


def test_who_kills_its_workers_is_stopped(queue: Queue) -> None:
    """F6, F8: num_stalls lost workers are survived, one more is the end, at once."""
    queue.eye.deploy("PING", p_num_attempts=100, p_num_stalls=2)
    job_id = queue.eye.enqueue("PING", job_group="a")
    for _ in range(2):
        assert [job.job_id for job in lose(queue)] == [job_id]
        assert queue.state(job_id) == "queued"
    assert [job.job_id for job in lose(queue)] == [job_id]
    columns = ("state", "reason", "stall_count", "error_count", "attempt")
    assert [queue.job(job_id, column) for column in columns] == ["failed", "stalled", 3, 0, 3]
    assert queue.counts() == {}


def test_a_job_that_may_not_stall_fails_with_its_first_worker(queue: Queue) -> None:
    queue.eye.deploy("PING", p_num_stalls=0)
    job_id = queue.eye.enqueue("PING")
    lose(queue)
    assert (queue.job(job_id, "state"), queue.job(job_id, "reason")) == ("failed", "stalled")


def test_errors_and_stalls_are_counted_apart(queue: Queue) -> None:
    """F1, F5, F6: neither eats up the other's limit."""
    queue.eye.deploy("PING", p_num_attempts=2, p_num_stalls=2)
    job_id = queue.eye.enqueue("PING")
    lose(queue)
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    assert queue.eye.settle(worker_id, [Outcome(job_id, job.attempt, "error", "error", ERROR)]) == {
        job_id: "scheduled"
    }
    queue.make_due()
    lose(queue)
    assert (queue.job(job_id, "error_count"), queue.job(job_id, "stall_count")) == (1, 2)
    assert queue.state(job_id) == "queued"


def test_the_dead_change_nothing_any_more(queue: Queue) -> None:
    """E15: settle and heartbeat of a worker taken for dead touch no row, before and after the next claim."""
    queue.eye.deploy("PING", p_num_attempts=9)
    queue.eye.enqueue("PING")
    queue.eye.enqueue("PING", job_group="a")
    zombie = queue.eye.register()
    old = queue.eye.claim(zombie)
    queue.silence(zombie)
    queue.eye.rescue()

    def try_all() -> None:
        before = snapshot(queue)
        for outcome in ("succeeded", "error", "failed", "cancelled", "snoozed"):
            reason = "error" if outcome in {"error", "failed"} else None
            given = [Outcome(job.job_id, job.attempt, outcome, reason, ERROR) for job in old]
            groups = [job.group_hash for job in old if job.group_hash is not None]
            assert queue.eye.settle(zombie, given, groups) == {job.job_id: "lost" for job in old}
        is_alive, lost, _ = queue.eye.heartbeat(zombie, old)
        assert not is_alive
        assert set(lost) == {job.job_id for job in old}
        assert queue.eye.recall(zombie) == []
        assert queue.eye.retire(zombie) == []
        assert snapshot(queue) == before

    try_all()
    assert len(queue.eye.claim(queue.eye.register())) == 2
    try_all()


def snapshot(queue: Queue) -> list[list[tuple[object, ...]]]:
    """Every row of every table, as it stands."""
    tables = ("job", "scheduled", "ready", "waiting", "running", "group_lease", "finalized", "worker")
    return [queue.eye.rows(f"select t::text, xmin::text from {{schema}}.{table} t") for table in tables]


def test_one_rescuer_at_a_time_and_nobody_waits(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    queue.silence(worker_id)
    one, two = queue.session(), queue.session()
    one.begin()
    assert one.rescue() == {job_id: "queued"}
    assert two.rescue() == {}
    one.rollback()
    assert two.rescue() == {job_id: "queued"}


def test_a_worker_in_the_middle_of_a_claim_is_passed_over(queue: Queue) -> None:
    """It claims, so it lives: its row is held until the claim commits."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.silence(worker_id)
    one = queue.session()
    one.begin()
    assert len(one.claim(worker_id)) == 1
    assert queue.eye.rescue() == {}
    one.commit()
    assert queue.count("worker") == 1
    assert len(queue.eye.rescue()) == 1


def test_a_claim_in_the_middle_of_a_rescue_takes_nothing(queue: Queue) -> None:
    """E15: it does not wait for the rescue (that could be a deadlock) but gives up with CQ002."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    late = queue.eye.enqueue("PING")
    queue.silence(worker_id)
    one = queue.session()
    one.begin()
    one.rescue()
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.claim(worker_id)
    assert caught.value.sqlstate == "CQ002"
    one.commit()
    assert queue.state(late) == "queued"
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.claim(worker_id)
    assert caught.value.sqlstate == "CQ002"


def test_nobody_waits_for_a_zombie_that_is_settling(queue: Queue) -> None:
    """A settlement under way keeps its own job; all others are rescued meanwhile."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 3, [None, "a", "b"])
    zombie = queue.eye.register()
    jobs = queue.eye.claim(zombie)
    queue.silence(zombie)
    one, two = queue.session(), queue.session()
    one.begin()
    one.settle(zombie, [Outcome(jobs[0].job_id, 1, detail="null")])
    two.rows("set statement_timeout = '5s'")
    assert two.rescue() == {job.job_id: "queued" for job in jobs[1:]}
    one.commit()
    queue.eye.rescue()
    assert queue.state(jobs[0].job_id) == "succeeded"
    assert queue.count("worker") == 0


def test_an_attempt_in_the_hand_of_a_hung_transaction_holds_up_nobody_else(queue: Queue) -> None:
    """E11, E13: a stopped process that holds its fence; another's death is noticed all the same."""
    queue.eye.deploy("PING")
    fenced_id = queue.eye.enqueue("PING", job_group="a")
    hung = queue.eye.register()
    (fenced,) = queue.eye.claim(hung)
    beside = queue.eye.enqueue("PING")
    queue.eye.claim(hung)
    innocent = queue.eye.enqueue("PING")
    dead = queue.eye.register()
    queue.eye.claim(dead)
    one, two = queue.session(), queue.session()
    one.begin()
    one.rows("select from {schema}.running where job_id = %s for update", fenced_id)
    queue.silence(hung)
    queue.silence(dead)
    two.rows("set statement_timeout = '5s'")
    assert two.rescue() == {beside: "queued", innocent: "queued"}
    assert two.rescue() == {}
    with pytest.raises(psycopg.Error) as caught:
        two.claim(hung)
    assert caught.value.sqlstate == "CQ002"
    assert two.heartbeat(hung) == (False, [], [])
    assert queue.state(fenced_id) == "running"
    one.rollback()
    assert two.rescue() == {fenced_id: "queued"}
    assert queue.count("worker") == 0
    assert fenced.job_id in {job.job_id for job in two.claim(two.register())}


def test_a_cancellation_left_open_holds_up_nobody_else(queue: Queue) -> None:
    """Someone's idle transaction that cancels one job must not stop the rescue of all others."""
    queue.eye.deploy("PING")
    job_ids = queue.eye.enqueue_many("PING", ["1", "2"])
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    queue.silence(worker_id)
    one, two = queue.session(), queue.session()
    one.begin()
    assert one.cancel(job_ids[0]) == "requested"
    two.rows("set statement_timeout = '5s'")
    assert two.rescue() == {job_ids[1]: "queued"}
    one.rollback()
    assert two.rescue() == {job_ids[0]: "queued"}


def test_rescue_and_a_settlement_of_many_do_not_deadlock(queue: Queue) -> None:
    """The settlement takes rows in another order than the rescue, and is stopped half-way."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 3)
    worker_id = queue.eye.register()
    first, middle, last = queue.eye.claim(worker_id)
    queue.silence(worker_id)
    holder, settler, rescuer = queue.session(), queue.session(), queue.session()
    holder.begin()
    holder.rows("select from {schema}.running where job_id = %s for update", middle.job_id)
    settling = settler.start(settler.succeed, worker_id, [last, middle, first])
    queue.wait_until_blocked(settler, by=holder)
    rescuer.rows("set statement_timeout = '5s'")
    assert set(rescuer.rescue()) <= {first.job_id, last.job_id}
    holder.rollback()
    settling.result(timeout=10)
    queue.eye.rescue()
    assert queue.count("running") == 0
    assert queue.count("worker") == 0


def test_a_group_held_beyond_its_ceiling_is_freed(queue: Queue) -> None:
    """E11: though its worker lives; and only that group."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 3, ["a", "a", "b"])
    worker_id = queue.eye.register()
    jobs = {job.job_group: job for job in queue.eye.claim(worker_id)}
    queue.eye.rows(
        "update {schema}.group_lease set acquired_at = now() - interval '1 hour' where group_hash = %s",
        queue.group_hash("a"),
    )
    assert queue.eye.rescue(3700.0) == {}
    assert queue.eye.rescue(3500.0) == {jobs["a"].job_id: "queued"}
    assert queue.eye.heartbeat(worker_id, list(jobs.values())) == (True, [jobs["a"].job_id], [])
    assert queue.state(jobs["b"].job_id) == "running"
    assert [job.job_id for job in queue.eye.claim(queue.eye.register())] == [jobs["a"].job_id]


def test_a_group_in_someones_hand_is_left_to_him(queue: Queue) -> None:
    """E8: the overdue holder releases at this moment; the next holder's lease is not touched."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1", "2"], ["a", "a"])
    slow, next_worker = queue.eye.register(), queue.eye.register()
    held = queue.eye.claim(slow)
    queue.eye.rows("update {schema}.group_lease set acquired_at = now() - interval '4 hours'")
    one, two = queue.session(), queue.session()
    two.rows("set statement_timeout = '5s'")
    one.begin()
    one.succeed(slow, held)
    assert two.rescue() == {}
    one.commit()
    (job,) = queue.eye.claim(next_worker)
    assert two.rescue() == {}
    assert queue.job(job.job_id, "worker_id") == next_worker
    assert queue.eye.rows("select worker_id from {schema}.group_lease") == [(next_worker,)]


def test_a_late_release_does_not_end_the_next_holders_lease(queue: Queue) -> None:
    """E8, E15: the rescue came first, and the overdue holder's settlement waited for it."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1", "2"], ["a", "a"])
    slow, next_worker = queue.eye.register(), queue.eye.register()
    (job,) = held = queue.eye.claim(slow)
    queue.eye.rows("update {schema}.group_lease set acquired_at = now() - interval '4 hours'")
    one, two, three = queue.session(), queue.session(), queue.session()
    one.begin()
    assert one.rescue() == {job.job_id: "queued"}
    settling = two.start(two.succeed, slow, held)
    queue.wait_until_blocked(two, by=one)
    assert three.claim(next_worker) == []
    one.commit()
    assert settling.result(timeout=10) == {job.job_id: "lost"}
    (again,) = three.claim(next_worker)
    assert (again.job_id, again.attempt) == (job.job_id, 2)
    assert queue.eye.succeed(slow, held) == {job.job_id: "lost"}
    assert queue.eye.rows("select worker_id from {schema}.group_lease") == [(next_worker,)]


def test_a_worker_whose_session_is_gone_need_not_wait_out_its_lease(queue: Queue) -> None:
    """E13: the lock it held is free, and two beats were missed."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    heart = queue.session()
    assert heart.value("select {schema}.hold_worker(%s)", worker_id) is True
    queue.eye.rows("update {schema}.worker set heartbeat_at = now() - interval '1 minute'")
    beat = "select job_id, verdict from {schema}.rescue(p_beat_secs => %s) where job_id is not null"
    assert queue.eye.rows(beat, 0.0001) == []
    heart.close()
    gone = "select from pg_stat_activity where pid = %s"
    eventually_sync(lambda: not queue.eye.rows(gone, heart.pid))
    assert queue.eye.rows(beat, 40.0) == []
    assert queue.eye.rows(beat, 0.0001) == [(job_id, "queued")]


def test_a_worker_that_never_held_its_lock_waits_out_its_lease(queue: Queue) -> None:
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    queue.eye.claim(queue.eye.register())
    queue.eye.rows("update {schema}.worker set heartbeat_at = now() - interval '1 minute'")
    assert queue.eye.rows("select * from {schema}.rescue(p_beat_secs => 0.0001)") == []


def test_workers_are_told_of_what_was_put_back(queue: Queue) -> None:
    """E24: a hint for each channel that has something again."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    queue.silence(worker_id)
    listener = queue.session()
    listener.rows('listen "cuckmq.{schema_name}"')
    queue.eye.rescue()
    channel_id = queue.eye.value("select id from {schema}.channel")
    assert [note.payload for note in listener.connection.notifies(timeout=0.2)] == [f"ready {channel_id}"]


def test_a_beat_that_lies_ahead_counts_from_now(queue: Queue) -> None:
    """E14: the clock was put back: who is dead is not waited for until it comes round again."""
    worker_id = queue.eye.register(lease_secs=10.0)
    queue.eye.rows("update {schema}.worker set heartbeat_at = now() + interval '3 days'")
    assert queue.eye.value("select is_rescue_due from {schema}.look_around(2.5)")
    assert queue.eye.rescue() == {}
    assert queue.eye.value(
        "select heartbeat_at between now() - interval '5 s' and now() from {schema}.worker where id = %s",
        worker_id,
    )
