"""purge_channel(), destroy_channel() and forget_channels()."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.queue import Queue


def purge(queue: Queue, name: str = "mail", limit: int = 500, newest_id: int | None = None) -> int:
    number: int = queue.eye.value(
        "select num_cancelled from {schema}.purge_channel(%s, %s, %s)", name, limit, newest_id
    )
    return number


def destroy(queue: Queue, name: str = "mail") -> tuple[bool, list[int]]:
    ((is_destroyed, running),) = queue.eye.rows("select * from {schema}.destroy_channel(%s)", name)
    return is_destroyed, running


def test_purge_cancels_what_has_not_started_wherever_it_stands(queue: Queue) -> None:
    """H7: ready, scheduled and in a group's line; what runs, and other channels, are left alone."""
    queue.eye.deploy("PING")
    running = queue.eye.enqueue("PING", job_group="a", channel="mail")
    worker_id = queue.eye.register()
    claimed = queue.eye.claim(worker_id)
    waiting = [
        queue.eye.enqueue("PING", channel="mail"),
        queue.eye.enqueue("PING", channel="mail", priority=5),
        queue.eye.enqueue("PING", channel="mail", job_group="a"),
        queue.eye.enqueue("PING", channel="mail", job_group="b"),
        queue.eye.enqueue("PING", channel="mail", delay_secs=60),
        queue.eye.enqueue("PING", channel="mail", delay_secs=60, job_group="c"),
    ]
    other = queue.eye.enqueue("PING", channel="sms")
    assert [purge(queue, limit=4), purge(queue, limit=4), purge(queue, limit=4)] == [4, 2, 0]
    assert {queue.state(job_id) for job_id in waiting} == {"cancelled"}
    assert (queue.state(running), queue.state(other)) == ("running", "queued")
    assert queue.eye.problems() == []
    assert queue.eye.succeed(worker_id, claimed) == {claimed[0].group_hash: "emptied"}
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [other]


def test_purge_touches_nothing_newer_than_it_is_told(queue: Queue) -> None:
    """H7: so it ends though producers go on."""
    queue.eye.deploy("PING")
    old = queue.eye.enqueue("PING", channel="mail")
    new = queue.eye.enqueue("PING", channel="mail")
    assert purge(queue, newest_id=old) == 1
    assert (queue.state(old), queue.state(new)) == ("cancelled", "queued")


def test_purge_waits_for_nobody(queue: Queue) -> None:
    """H7: what is being claimed runs, what is being cancelled is, and the rest is purged."""
    queue.eye.deploy("PING")
    job_ids = [queue.eye.enqueue("PING", channel="mail") for _ in range(3)]
    claimer, canceller = queue.session(), queue.session()
    for session in (claimer, canceller):
        session.begin()
    claimer.claim(queue.eye.register(), limit=1)
    canceller.cancel(job_ids[1])
    assert purge(queue) == 1
    for session in (claimer, canceller):
        session.commit()
    assert [queue.state(job_id) for job_id in job_ids] == ["running", "cancelled", "cancelled"]


def test_a_cancellation_that_waits_for_a_purge_is_no_deadlock(queue: Queue) -> None:
    """H7: the canceller holds the job and waits for its entry, which the purge holds and lets go."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", channel="mail")
    purger, holder = queue.session(), queue.session()
    holder.begin()
    holder.rows("select 1 from {schema}.job where id = %s for update", job_id)
    purger.begin()
    assert purger.value("select num_cancelled from {schema}.purge_channel('mail')") == 0
    cancelled = holder.start(holder.cancel, job_id)
    queue.wait_until_blocked(holder, by=purger)
    purger.commit()
    assert cancelled.result(10) == "cancelled"
    holder.commit()
    assert queue.eye.problems() == []


def test_a_channel_is_destroyed_when_it_is_empty(queue: Queue) -> None:
    """H7: until then the running jobs are named; then it is back when somebody names it."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING", channel="mail")
    assert destroy(queue) == (False, [])
    worker_id = queue.eye.register()
    claimed = queue.eye.claim(worker_id)
    assert destroy(queue) == (False, [job_id])
    queue.eye.succeed(worker_id, claimed)
    assert destroy(queue) == (True, [])
    assert queue.state(job_id) == "succeeded"
    with pytest.raises(psycopg.Error) as caught:
        destroy(queue)
    assert caught.value.sqlstate == "CQ405"

    again = queue.eye.enqueue("PING", channel="mail")
    assert [job.job_id for job in queue.eye.claim(worker_id)] == [again]
    assert destroy(queue) == (False, [again])


@pytest.mark.parametrize("how", ["deploy", "register", "serve"])
def test_whoever_names_a_destroyed_channel_has_it_back(queue: Queue, how: str) -> None:
    """H7: a definition, a worker that begins, and one that serves another channel."""
    queue.eye.register(channels=["mail"])
    assert destroy(queue) == (True, [])
    if how == "deploy":
        queue.eye.deploy("PING", p_channel="mail")
    elif how == "register":
        queue.eye.register(channels=["mail"])
    else:
        queue.eye.rows("select * from {schema}.serve(%s, %s)", queue.eye.register(), ["mail"])
    assert queue.eye.value("select destroyed_at is null from {schema}.channel where name = 'mail'")


def test_a_channel_of_deployed_definitions_is_not_destroyed(queue: Queue) -> None:
    """H7: they are named."""
    queue.eye.deploy("PING", p_channel="mail")
    queue.eye.deploy("PONG", p_channel="mail")
    with pytest.raises(psycopg.Error, match="PING, PONG") as caught:
        destroy(queue)
    assert caught.value.sqlstate == "CQ407"
    queue.eye.rows("select {schema}.undeploy('PING'), {schema}.undeploy('PONG')")
    assert destroy(queue) == (True, [])


def test_a_job_put_in_at_the_moment_of_destruction_is_not_lost(queue: Queue) -> None:
    """H7: its lane is there, and it is run like any other."""
    queue.eye.deploy("PING")
    queue.eye.register(channels=["mail"])
    queue.eye.value("select {schema}.lane_for('mail', 0)")
    producer = queue.session()
    producer.begin()
    job_id = producer.enqueue("PING", channel="mail")
    assert destroy(queue) == (True, [])
    producer.commit()
    assert [job.job_id for job in queue.eye.claim(queue.eye.register())] == [job_id]
    assert queue.eye.problems() == []


def test_a_destroyed_channel_is_forgotten_with_its_last_job(queue: Queue) -> None:
    """H7, L3: purge() does it, once history no longer names it."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING", channel="mail", job_group="a")
    purge(queue)
    assert destroy(queue) == (True, [])
    queue.eye.rows("select {schema}.forget_channels(now())")
    assert queue.count("channel") == 2
    assert len(queue.eye.purge()) == 1
    assert queue.eye.purge() == []
    assert queue.eye.rows("select name from {schema}.channel") == [("_default",)]
    assert queue.counts() == {}
