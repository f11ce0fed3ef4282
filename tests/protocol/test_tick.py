"""tick(): each slot of a schedule once, whatever the number of orchestrators."""

from __future__ import annotations

from datetime import timedelta

from tests.support.queue import Queue

NEXT = "select next_at from {schema}.schedule"


def test_a_new_schedule_is_due_at_once_and_then_keeps_its_rhythm(queue: Queue) -> None:
    """D1: counted from the planned moment, so it does not drift."""
    ping = queue.eye.deploy("PING", p_repeat_secs=3600.0)
    planned = queue.eye.value(NEXT)
    (name, slot_at, job_id, _), (_, _, _, secs) = queue.eye.tick([ping])
    assert (name, slot_at) == ("PING", planned)
    assert queue.job(job_id, "definition") == "PING"
    assert queue.eye.value(NEXT) == planned + timedelta(hours=1)
    assert 3590 < secs <= 3600
    assert queue.count("job") == 1


def test_nothing_is_due_twice(queue: Queue) -> None:
    """D3: one after the other."""
    ping = queue.eye.deploy("PING", p_repeat_secs=3600.0)
    assert len(queue.eye.tick([ping])) == 2
    assert len(queue.eye.tick([ping])) == 1
    assert queue.count("job") == 1


def test_two_at_once_enqueue_a_slot_once(queue: Queue) -> None:
    """D3: the second passes over the schedule that the first has in hand, and does not wait."""
    ping = queue.eye.deploy("PING", p_repeat_secs=3600.0)
    one, two = queue.session(), queue.session()
    two.rows("set lock_timeout = '1s'")
    one.begin()
    assert len(one.tick([ping])) == 2
    assert len(two.tick([ping])) == 1
    one.commit()
    assert len(two.tick([ping])) == 1
    assert queue.count("job") == 1


def test_a_tick_that_is_rolled_back_leaves_its_slot_to_the_next(queue: Queue) -> None:
    """D3, M2: the job and the next moment are written together."""
    ping = queue.eye.deploy("PING", p_repeat_secs=3600.0)
    planned = queue.eye.value(NEXT)
    one, two = queue.session(), queue.session()
    one.begin()
    one.tick([ping])
    one.rollback()
    assert (queue.count("job"), queue.eye.value(NEXT)) == (0, planned)
    assert two.tick([ping])[0][1] == planned


def test_slots_that_were_missed_become_one(queue: Queue) -> None:
    """D1: and the rhythm is the old one."""
    ping = queue.eye.deploy("PING", p_repeat_secs=60.0)
    queue.eye.rows("update {schema}.schedule set next_at = date_trunc('minute', now()) - interval '1 day'")
    planned = queue.eye.value(NEXT)
    assert len(queue.eye.tick([ping])) == 2
    assert queue.count("job") == 1
    after = queue.eye.value(NEXT)
    assert (after - planned) % timedelta(seconds=60) == timedelta(0)
    now = queue.eye.value("select clock_timestamp()")
    assert now - timedelta(seconds=1) < after <= now + timedelta(seconds=60)


def test_a_schedule_nobody_knows_is_told_and_left(queue: Queue) -> None:
    """D4, I13: for an orchestrator that knows it."""
    ping = queue.eye.deploy("PING", p_repeat_secs=60.0)
    planned = queue.eye.value(NEXT)
    assert queue.eye.tick([]) == [("PING", planned, None, None), (None, None, None, None)]
    assert queue.count("job") == 0
    assert queue.eye.tick([ping])[0][2] is not None


def test_the_next_slot_is_told(queue: Queue) -> None:
    """D6: of those known, so an orchestrator sleeps exactly as long as it may."""
    often = queue.eye.deploy("OFTEN", p_repeat_secs=60.0)
    rarely = queue.eye.deploy("RARELY", p_repeat_secs=3600.0)
    assert len(queue.eye.tick([often, rarely])) == 3
    assert 55 < queue.eye.tick([often, rarely])[-1][3] <= 60
    assert 3500 < queue.eye.tick([rarely])[-1][3] <= 3600


def test_an_undeployed_schedule_ends_and_waits_for_a_tick_that_has_it(queue: Queue) -> None:
    """L3: the tick that came first still enqueues; none after it does."""
    ping = queue.eye.deploy("PING", p_repeat_secs=0.001)
    one, two = queue.session(), queue.session()
    one.begin()
    assert len(one.tick([ping])) == 2
    undeploying = two.start(two.value, "select {schema}.undeploy('PING')")
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert undeploying.result(timeout=10) is True
    assert queue.eye.tick([ping]) == [(None, None, None, None)]
    assert queue.count("job") == 1
