"""reap() and evict(): the rescue by hand."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.queue import Queue


def test_reap_names_the_dead_with_their_jobs(queue: Queue) -> None:
    """H6: those that held nothing too, and the living not."""
    queue.eye.deploy("PING")
    holding, empty, living = queue.eye.register(), queue.eye.register(), queue.eye.register()
    job_ids = [queue.eye.enqueue("PING"), queue.eye.enqueue("PING", job_group="a")]
    queue.eye.claim(holding)
    for worker_id in (holding, empty):
        queue.silence(worker_id)
    assert queue.eye.reap() == [*((holding, job_id, "queued") for job_id in job_ids), (empty, None, None)]
    assert queue.eye.rows("select id from {schema}.worker") == [(living,)]
    assert queue.eye.reap() == []
    assert queue.eye.problems() == []


def test_who_leaves_meanwhile_is_not_dead(queue: Queue) -> None:
    """H6: a worker that takes leave during the reaping is passed over."""
    leaving = queue.eye.register()
    other = queue.session()
    other.begin()
    other.retire(leaving)
    assert queue.eye.reap() == []
    other.commit()
    assert queue.count("worker") == 0


def test_reap_waits_for_a_rescue_under_way(queue: Queue) -> None:
    """H6: and finds what that one has left."""
    worker_id = queue.eye.register()
    queue.silence(worker_id)
    rescuer, reaper = queue.session(), queue.session()
    rescuer.begin()
    rescuer.rescue()
    found = reaper.start(reaper.reap)
    queue.wait_until_blocked(reaper, by=rescuer)
    rescuer.rollback()
    assert found.result(10) == [(worker_id, None, None)]


def test_a_worker_is_evicted_though_it_lives(queue: Queue) -> None:
    """H6: its jobs have stalled and go first; the worker is told, and its late outcome changes nothing."""
    queue.eye.deploy("PING")
    evicted, neighbour = queue.eye.register(), queue.eye.register()
    job_ids = [queue.eye.enqueue("PING"), queue.eye.enqueue("PING", job_group="a")]
    old = queue.eye.claim(evicted)
    assert queue.eye.evict(evicted) == [(evicted, job_id, "queued") for job_id in job_ids]
    assert [queue.job(job_id, "stall_count") for job_id in job_ids] == [1, 1]
    assert queue.eye.heartbeat(evicted, old)[0] is False
    assert set(queue.eye.succeed(evicted, old).values()) == {"lost"}
    with pytest.raises(psycopg.Error) as caught:
        queue.eye.claim(evicted)
    assert caught.value.sqlstate == "CQ002"
    assert {job.job_id for job in queue.eye.claim(neighbour)} == set(job_ids)
    assert queue.eye.problems() == []


def test_eviction_stops_what_may_stall_no_more(queue: Queue) -> None:
    """H6: it counts like any other stall."""
    queue.eye.deploy("PING", p_num_stalls=0)
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    assert queue.eye.evict(worker_id) == [(worker_id, job_id, "failed")]
    assert queue.job(job_id, "reason") == "stalled"


def test_eviction_takes_what_is_being_claimed(queue: Queue) -> None:
    """H6: it waits for the claim under way, so nothing is claimed past it."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    claimer, evicter = queue.session(), queue.session()
    claimer.begin()
    claimer.claim(worker_id)
    taken = evicter.start(evicter.evict, worker_id)
    queue.wait_until_blocked(evicter, by=claimer)
    claimer.commit()
    assert taken.result(10) == [(worker_id, job_id, "queued")]
    assert queue.counts() == {"job": 1, "ready": 1}
    assert queue.count("worker") == 0


def test_what_someone_has_in_hand_is_left_to_the_next_rescue(queue: Queue) -> None:
    """H6: an attempt inside an open transaction keeps nobody waiting, and its worker stays, lost."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    queue.eye.claim(worker_id)
    fence = queue.session()
    fence.begin()
    fence.rows("select 1 from {schema}.running where job_id = %s for update", job_id)
    assert queue.eye.evict(worker_id) == [(worker_id, None, None)]
    assert queue.state(job_id) == "running"
    fence.rollback()
    assert queue.eye.rescue() == {job_id: "queued"}


def test_nobody_can_evict_a_worker_that_is_not_there(queue: Queue) -> None:
    """H6: CQ406."""
    with pytest.raises(psycopg.Error, match="no worker 7") as caught:
        queue.eye.evict(7)
    assert caught.value.sqlstate == "CQ406"
