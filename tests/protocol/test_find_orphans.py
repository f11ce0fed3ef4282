"""find_orphans(): what nobody here knows is seen."""

from __future__ import annotations

from typing import Any

from tests.support.queue import Queue

FIND = "select * from {schema}.find_orphans(%s::integer[], %s::integer[])"


def test_unknown_jobs_are_told_by_name_and_channel(queue: Queue) -> None:
    """F9, I13: ready ones, and groups whose turn was put off."""
    known = queue.eye.deploy("KNOWN")
    queue.eye.deploy("ORPHAN", p_channel="mail")
    ready = queue.eye.enqueue("ORPHAN")
    grouped = queue.eye.enqueue("ORPHAN", job_group="a")
    queue.eye.enqueue("KNOWN")
    queue.eye.claim(queue.eye.register(), [known])
    told = [(ready, "ORPHAN", "mail"), (grouped, "ORPHAN", "mail")]
    assert sorted(queue.eye.rows(FIND, None, [known])) == told


def test_other_channels_are_other_peoples_business(queue: Queue) -> None:
    queue.eye.deploy("MAIL", p_channel="mail")
    queue.eye.deploy("POST", p_channel="post")
    mail = queue.eye.enqueue("MAIL")
    queue.eye.enqueue("POST")
    channel_id = queue.eye.value("select id from {schema}.channel where name = 'mail'")
    assert queue.eye.rows(FIND, [channel_id], []) == [(mail, "MAIL", "mail")]


def test_what_is_known_running_or_not_due_is_no_orphan(queue: Queue) -> None:
    known = queue.eye.deploy("KNOWN")
    other = queue.eye.deploy("OTHER")
    running = queue.eye.enqueue("OTHER")
    assert [job.job_id for job in queue.eye.claim(queue.eye.register(), [other])] == [running]
    queue.eye.enqueue("OTHER", delay_secs=60.0)
    queue.eye.enqueue("KNOWN")
    assert queue.eye.rows(FIND, None, [known]) == []


def test_it_looks_no_deeper_than_told(queue: Queue) -> None:
    queue.eye.deploy("ORPHAN")
    job_ids = queue.eye.enqueue_many("ORPHAN", ["1"] * 5)
    rows: list[Any] = queue.eye.rows("select job_id from {schema}.find_orphans(null, '{}', 2)")
    assert [row[0] for row in rows] == job_ids[:2]
