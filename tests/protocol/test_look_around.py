"""look_around(): what a worker learns of the others with its beat."""

from __future__ import annotations

from tests.support.queue import Queue


def look(queue: Queue) -> tuple[int, bool, bool]:
    return queue.eye.rows("select * from {schema}.look_around(2.5)")[0]


def test_an_empty_queue_has_nothing_due(queue: Queue) -> None:
    assert look(queue) == (0, False, False)


def test_those_who_live_are_counted(queue: Queue) -> None:
    for _ in range(3):
        queue.eye.register()
    silent = queue.eye.register(lease_secs=10.0)
    queue.eye.rows(
        "update {schema}.worker set heartbeat_at = now() - interval '1 minute' where id = %s", silent
    )
    # A server that has just started counts nobody as silent since before that.
    queue.eye.rows("select 1")
    num_workers, is_rescue_due, _ = look(queue)
    since_start = queue.eye.value("select extract(epoch from clock_timestamp() - pg_postmaster_start_time())")
    assert num_workers == (3 if since_start > 10 else 4)
    assert is_rescue_due == (since_start > 5)


def test_the_lost_are_due_until_nothing_is_left_of_them(queue: Queue) -> None:
    lost = queue.eye.register()
    queue.eye.rows("update {schema}.worker set is_lost = true where id = %s", lost)
    assert look(queue) == (0, True, False)
    queue.eye.rescue()
    assert look(queue) == (0, False, False)


def test_what_expired_and_what_waits_is_to_be_swept(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    assert look(queue) == (0, False, False)
    queue.eye.rows("update {schema}.job set expires_at = now() where id = %s", job_id)
    assert look(queue) == (0, False, True)
