"""heartbeat(), hold_worker() and register_worker(): how the queue knows who lives."""

from __future__ import annotations

from tests.support.queue import Queue


def test_a_beat_renews_the_lease(queue: Queue) -> None:
    """E12: even one that comes late, as long as nobody has taken the worker for dead."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    worker_id = queue.eye.register(lease_secs=600.0)
    jobs = queue.eye.claim(worker_id)
    queue.eye.rows("update {schema}.worker set heartbeat_at = now() - interval '1 day'")
    assert queue.eye.heartbeat(worker_id, jobs) == (True, [], [])
    assert queue.eye.rescue() == {}


def test_a_beat_tells_what_is_lost(queue: Queue) -> None:
    """E15: a job that another has, a job that is no more, an attempt that is over."""
    queue.eye.deploy("PING")
    kept, given_back = queue.eye.enqueue_many("PING", ["1", "2"])
    worker_id = queue.eye.register()
    jobs = queue.eye.claim(worker_id)
    queue.eye.recall(worker_id, [kept])
    queue.eye.claim(queue.eye.register())
    old = jobs[0]._replace(attempt=7)
    gone = jobs[0]._replace(job_id=999)
    is_alive, lost, cancelled = queue.eye.heartbeat(worker_id, [*jobs, old, gone])
    assert (is_alive, sorted(lost), cancelled) == (True, [kept, given_back, 999], [])


def test_the_unknown_are_told_that_they_are_dead(queue: Queue) -> None:
    assert queue.eye.heartbeat(12345) == (False, [], [])


def test_a_beat_does_not_wait_for_a_claim(queue: Queue) -> None:
    """E12: a claim holds the worker's row so that rescue lets it be, not so that beats pile up."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    one, heart = queue.session(), queue.session()
    worker_id = one.register()
    heart.rows("set lock_timeout = '1s'")
    one.begin()
    one.claim(worker_id)
    assert heart.heartbeat(worker_id) == (True, [], [])
    one.commit()


def test_a_claim_does_not_wait_for_a_beat_nor_fail_by_it(queue: Queue) -> None:
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    one, heart = queue.session(), queue.session()
    worker_id = one.register()
    heart.begin()
    heart.heartbeat(worker_id)
    assert len(one.claim(worker_id)) == 1
    heart.commit()


def test_ids_of_workers_are_never_used_again(queue: Queue) -> None:
    """E15: a fence that a newcomer could pass would be none."""
    first = queue.eye.register()
    queue.eye.retire(first)
    assert queue.eye.register() > first


def test_registering_names_the_channels_that_are_not_there_yet(queue: Queue) -> None:
    """E2: a worker may come before the first deployment to its channel."""
    rows = queue.eye.rows(
        "select channel_ids from {schema}.register_worker('w', 'h', 1, '0', 1, array['new', 'newer'], 10)"
    )
    named = queue.eye.value("select array_agg(id order by id) from {schema}.channel")
    assert sorted(rows[0][0]) == named
    assert queue.eye.value(
        "select channel_ids is null from {schema}.register_worker('w', 'h', 1, '0', 1, null, 10)"
    )


def test_a_living_worker_serves_other_channels(queue: Queue) -> None:
    """E4: the row says so, channels that are not there are made, and their lanes are named."""
    queue.eye.deploy("PING", p_channel="old")
    worker_id, other_id = queue.eye.register(channels=["old"]), queue.eye.register(channels=["old"])
    serve = "select channel_ids, lane_ids from {schema}.serve(%s, %s::text[])"
    ((old_id,), (lane_id,)) = queue.eye.rows(serve, worker_id, ["old"])[0]
    assert queue.eye.value("select channel_id from {schema}.lane where id = %s", lane_id) == old_id
    channel_ids, lane_ids = queue.eye.rows(serve, worker_id, ["old", "new"])[0]
    assert old_id in channel_ids
    assert len(channel_ids) == 2
    assert lane_ids == [lane_id]
    assert queue.eye.rows(serve, worker_id, []) == [([], [])]
    rows = queue.eye.rows("select id, channels from {schema}.worker order by id")
    assert rows == [(worker_id, []), (other_id, ["old"])]


def test_only_one_session_holds_a_worker(queue: Queue) -> None:
    """The lock is the session's, and ends with it."""
    worker_id = queue.eye.register()
    one, two = queue.session(), queue.session()
    hold = "select {schema}.hold_worker(%s)"
    assert one.value(hold, worker_id) is True
    assert two.value(hold, worker_id) is False
    assert queue.eye.value("select is_lock_held from {schema}.worker") is True


def test_holding_a_worker_that_is_not_there(queue: Queue) -> None:
    assert queue.eye.value("select {schema}.hold_worker(777)") is False
