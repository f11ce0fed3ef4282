"""deploy() and undeploy(): definitions come, change and go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.support.eventually import eventually_sync
from tests.support.queue import Queue


def test_deploying_again_changes_what_is_known_and_keeps_the_id(queue: Queue) -> None:
    """B4: jobs that are there keep what they were put in with."""
    first = queue.eye.deploy("PING", p_num_attempts=2)
    old = queue.eye.enqueue("PING")
    assert queue.eye.deploy("PING", p_num_attempts=5, p_channel="mail", p_priority=1) == first
    new = queue.eye.enqueue("PING")
    columns = ("num_attempts", "channel", "priority")
    assert [queue.job(old, column) for column in columns] == [2, "_default", 0]
    assert [queue.job(new, column) for column in columns] == [5, "mail", 1]


def test_many_deploy_the_same_at_once(queue: Queue) -> None:
    """B4: the second waits for the first, and both have the same id."""
    one, two = queue.session(), queue.session()
    one.begin()
    first = one.deploy("PING", p_repeat_secs=60.0)
    deploying = two.start(two.deploy, "PING", p_repeat_secs=60.0)
    queue.wait_until_blocked(two, by=one)
    one.commit()
    assert deploying.result(timeout=10) == first
    assert queue.count("schedule") == 1


@pytest.mark.parametrize(
    "options",
    [
        {"p_channel": ""},
        {"p_channel": "c" * 201},
        {"p_delay_secs": -1.0},
        {"p_delay_secs": float("nan")},
        {"p_num_attempts": 0},
        {"p_num_stalls": -1},
        {"p_repeat_secs": 0.0},
        {"p_repeat_secs": float("inf")},
    ],
)
def test_what_makes_no_sense_is_refused(queue: Queue, options: dict[str, Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        queue.eye.deploy("PING", **options)
    assert queue.count("job_definition") == 0


def test_a_rhythm_stays_unless_it_is_changed(queue: Queue) -> None:
    """D1: a deployment is no reason to run at once, nor to start counting anew."""
    ping = queue.eye.deploy("PING", p_repeat_secs=3600.0)
    queue.eye.tick([ping])
    slot = "select next_at from {schema}.schedule"
    planned = queue.eye.value(slot)
    queue.eye.deploy("PING", p_repeat_secs=3600.0)
    assert queue.eye.value(slot) == planned
    queue.eye.deploy("PING", p_repeat_secs=60.0)
    now = queue.eye.value("select clock_timestamp()")
    assert now < queue.eye.value(slot) <= now + timedelta(seconds=60)
    queue.eye.deploy("PING")
    assert queue.count("schedule") == 0


@pytest.mark.fault("F9")
def test_an_undeployed_definitions_jobs_still_run(queue: Queue) -> None:
    """L3: its jobs stay, nothing is added, its schedule ends; safe to repeat."""
    queue.eye.deploy("PING", p_repeat_secs=60.0)
    job_id = queue.eye.enqueue("PING")
    assert queue.eye.value("select {schema}.undeploy('PING')") is True
    assert queue.eye.value("select {schema}.undeploy('PING')") is False
    assert queue.eye.value("select {schema}.undeploy('NOBODY')") is False
    assert queue.count("schedule") == 0
    assert [job.job_id for job in queue.eye.claim(queue.eye.register())] == [job_id]


def test_a_definition_may_come_back(queue: Queue) -> None:
    ping = queue.eye.deploy("PING")
    queue.eye.value("select {schema}.undeploy('PING')")
    assert queue.eye.deploy("PING") == ping
    assert queue.eye.enqueue("PING")


def test_deploy_and_undeploy_do_not_deadlock(queue: Queue) -> None:
    """Both take the definition first and its schedule then."""
    queue.eye.deploy("PING", p_repeat_secs=60.0)
    holder, undeployer, deployer = queue.session(), queue.session(), queue.session()
    holder.begin()
    holder.rows("select from {schema}.schedule for update")
    undeploying = undeployer.start(undeployer.value, "select {schema}.undeploy('PING')")
    queue.wait_until_blocked(undeployer, by=holder)
    deploying = deployer.start(deployer.deploy, "PING", p_repeat_secs=30.0)
    blocker = "select cardinality(pg_blocking_pids(%s)) > 0"
    eventually_sync(lambda: queue.eye.value(blocker, deployer.pid))
    holder.rollback()
    assert undeploying.result(timeout=10) is True
    deploying.result(timeout=10)
    assert queue.count("schedule") == 1
    assert queue.eye.enqueue("PING")
