"""promote(), secs_until_due() and lanes: jobs whose time has come."""

from __future__ import annotations

import pytest

from tests.support.queue import Queue

PROMOTE = "select {schema}.promote(array(select id from {schema}.lane), %s)"


def test_due_jobs_run_in_the_order_of_their_moments(queue: Queue) -> None:
    """C4, C5, D5: whatever the order of enqueue."""
    queue.eye.deploy("PING")
    job_ids = [queue.eye.enqueue("PING", delay_secs=secs) for secs in (30.0, 10.0, 20.0)]
    queue.make_due()
    taken = [job.job_id for job in queue.eye.claim(queue.eye.register())]
    assert taken == [job_ids[1], job_ids[2], job_ids[0]]


def test_a_due_job_stands_before_what_came_after_its_moment(queue: Queue) -> None:
    """E5, D5: its moment is its place in line."""
    queue.eye.deploy("PING")
    delayed = queue.eye.enqueue("PING", delay_secs=30.0)
    ready = queue.eye.enqueue("PING")
    queue.make_due(60.0)
    assert [job.job_id for job in queue.eye.claim(queue.eye.register(), limit=1)] == [delayed]
    assert [job.job_id for job in queue.eye.claim(queue.eye.register(), limit=1)] == [ready]


def test_what_is_not_due_stays(queue: Queue) -> None:
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING", delay_secs=60.0)
    assert queue.eye.value(PROMOTE, 10) is None
    assert queue.counts() == {"job": 1, "scheduled": 1}


def test_due_grouped_jobs_get_in_line_with_one_turn(queue: Queue) -> None:
    """E8: mutual exclusion holds for delayed jobs as well."""
    queue.eye.deploy("PING")
    first, second = (queue.eye.enqueue("PING", job_group="a", delay_secs=60.0) for _ in range(2))
    queue.make_due()
    one, two = queue.eye.register(), queue.eye.register()
    jobs = queue.eye.claim(one)
    assert [job.job_id for job in jobs] == [first]
    assert queue.eye.claim(two) == []
    queue.eye.succeed(one, jobs)
    assert [job.job_id for job in queue.eye.claim(two)] == [second]


def test_two_promote_different_jobs_and_neither_waits(queue: Queue) -> None:
    """E7: each due entry is moved once."""
    queue.eye.deploy("PING")
    for _ in range(4):
        queue.eye.enqueue("PING", delay_secs=60.0)
    queue.make_due()
    one, two = queue.session(), queue.session()
    two.rows("set lock_timeout = '1s'")
    one.begin()
    one.value(PROMOTE, 2)
    two.value(PROMOTE, 10)
    one.commit()
    assert queue.counts() == {"job": 4, "ready": 4}


def test_no_more_than_asked_for_is_moved_earliest_first(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_ids = [queue.eye.enqueue("PING", delay_secs=secs) for secs in (1.0, 2.0, 3.0)]
    queue.make_due()
    earliest = queue.eye.value(PROMOTE, 2)
    assert earliest == queue.job(job_ids[0], "run_at")
    assert [queue.state(job_id) for job_id in job_ids] == ["queued", "queued", "scheduled"]


def test_the_next_moment_of_the_channels_served(queue: Queue) -> None:
    """D5: a worker sleeps no longer than this; null when nothing is scheduled."""
    queue.eye.deploy("PING")
    assert queue.eye.value("select {schema}.secs_until_due(null)") is None
    queue.eye.enqueue("PING", delay_secs=100.0)
    queue.eye.enqueue("PING", delay_secs=10.0, channel="other")
    other = queue.eye.value("select id from {schema}.channel where name = 'other'")
    assert 9 < queue.eye.value("select {schema}.secs_until_due(null)") <= 10
    assert 9 < queue.eye.value("select {schema}.secs_until_due(array[%s])", other) <= 10
    assert queue.eye.value("select {schema}.secs_until_due('{}')") is None
    queue.make_due()
    assert queue.eye.value("select {schema}.secs_until_due(null)") < 0


@pytest.mark.fault("H5")
def test_twenty_thousand_come_due_at_once(queue: Queue) -> None:
    """C4, E2: they come in order and none is lost; a job of another channel runs between."""
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * 20_000, None, p_delay_secs=60.0)
    queue.make_due()
    worker_id = queue.eye.register()
    begun: list[int] = []
    other = queue.eye.enqueue("PING", channel="other")
    queue.eye.rows("set statement_timeout = '5s'")
    while queue.eye.value(PROMOTE, 500) is not None:
        jobs = queue.eye.claim(worker_id, limit=500)
        begun += [job.job_id for job in jobs]
        queue.eye.succeed(worker_id, jobs)
    while jobs := queue.eye.claim(worker_id, limit=500):
        begun += [job.job_id for job in jobs]
        queue.eye.succeed(worker_id, jobs)
    assert len(begun) == len(set(begun)) == 20_001
    assert begun.index(other) < 10_000
    others = [job_id for job_id in begun if job_id != other]
    assert others == sorted(others)
