"""check_invariants(): each kind of wrong, planted by hand, is told; and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.queue import Queue

HOME = "insert into {schema}.ready (lane_id, definition_id, run_at, job_id)"
AS_IS = "select lane_id, definition_id, run_at, id from {schema}.job where job_group is null"
LATER = "insert into {schema}.scheduled (lane_id, definition_id, run_at, job_id)"
RUN = """
    insert into {schema}.running (job_id, definition_id, lane_id, worker_id, attempt, is_tied, group_hash)
    values
"""
FILE = """
    insert into {schema}.finalized (job_id, definition_id, lane_id, attempt, state, is_tied)
    values
"""
KEY = "insert into {schema}.unique_key (job_id, definition_id, key, scope)"
BY = "(select max(id) from {schema}.worker)"

#: What is done to a queue with a ready job, a grouped job in line, and a worker; and what is told.
PLANTED = {
    "a live job has no place": ["delete from {schema}.ready where job_id is not null"],
    "a live job has two places": [f"{HOME} {AS_IS}"],
    "an entry in ready has no job": ["delete from {schema}.job where job_group is null"],
    "an entry in waiting has no job": ["delete from {schema}.job where job_group is not null"],
    "an entry in scheduled has no job": [f"{LATER} values (1, 1, now(), 999)"],
    "an entry in running has no job": [f"{RUN} (999, 1, 1, {BY}, 1, false, null)"],
    "an entry in ready does not fit its job": ["update {schema}.job set run_at = now() - interval '1 day'"],
    "an entry in waiting does not fit its job": ["update {schema}.job set job_group = 'b' where id = 2"],
    "an entry in scheduled does not fit its job": [
        "delete from {schema}.ready where job_id is not null",
        f"{LATER} select lane_id, definition_id, run_at + '1 s', id from {{schema}}.job where id = 1",
    ],
    "an entry in blocked has no job": ["insert into {schema}.blocked (job_id, policy) values (999, 'fail')"],
    "a job that is not blocked waits for another": [
        "insert into {schema}.dependency (needs_id, job_id) values (1, 2)"
    ],
    "a finalized job is in ready": [f"{FILE} (1, 1, 1, 1, 'succeeded', false)"],
    "an ending has no job": [f"{FILE} (999, 1, 1, 1, 'succeeded', false)"],
    "a finalized job may still expire": [
        f"{FILE} (1, 1, 1, 1, 'succeeded', false)",
        "delete from {schema}.ready where job_id is not null",
        "update {schema}.job set expires_at = now() where id = 1",
    ],
    "a job has a group out of bounds": ["update {schema}.job set job_group = '' where id = 2"],
    "a ready entry is neither a job nor a turn": ["update {schema}.ready set group_hash = 1"],
    "an attempt has no number": [f"{RUN} (1, 1, 1, {BY}, 0, false, null)"],
    "an ending contradicts itself": [f"{FILE} (1, 1, 1, 1, 'failed', false)"],
    "a unique key is held by a job that has ended": [f"{KEY} values (999, 1, 'a', 'live')"],
    "a job with a unique key is not tied": [f"{KEY} values (1, 1, 'a', 'live')"],
    "a running job has no worker": [
        "delete from {schema}.ready where job_id is not null",
        f"{RUN} (1, 1, 1, 999, 1, false, null)",
    ],
    "a leased group has no worker": [
        "insert into {schema}.group_lease (seat, group_hash, worker_id) values (1, 1, 999)"
    ],
    "a grouped job runs without its worker holding the lease": [
        f"{RUN} (2, 1, 1, {BY}, 1, false, (select min(w.group_hash) from {{schema}}.waiting w))",
        "delete from {schema}.waiting",
        "delete from {schema}.ready where group_hash is not null",
    ],
    "a line has neither a turn nor a lease": ["delete from {schema}.ready where group_hash is not null"],
}


@pytest.fixture
def queue(dsn: str, schema: str) -> Iterator[Queue]:
    """A queue with a ready job (1), a grouped one in line (2) and a worker. In no order at the end."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
        queue.eye.deploy("PING")
        queue.eye.enqueue("PING")
        queue.eye.enqueue("PING", job_group="a")
        queue.eye.register()
        assert queue.eye.problems() == []
        yield queue


@pytest.mark.parametrize("problem", PLANTED)
def test_what_is_wrong_is_told(queue: Queue, problem: str) -> None:
    for statement in PLANTED[problem]:
        queue.eye.rows(statement)
    assert problem in {told for told, _, _ in queue.eye.problems()}


def test_every_kind_of_problem_is_planted(queue: Queue) -> None:
    """A check that is added to the function is to be proven here."""
    source = queue.eye.value("select prosrc from pg_proc where oid = '{schema}.check_invariants'::regproc")
    for kind in ("ready", "waiting", "scheduled", "running"):
        assert f"an entry in {kind} has no job" in PLANTED
    whole = [
        problem for problem in PLANTED if not problem.startswith(("an entry in", "a finalized job is in"))
    ]
    assert all(f"'{problem}'" in source for problem in whole)
    assert source.count("union all\n    select '") + 1 == len(whole) + 3


def test_it_locks_nothing_and_waits_for_nobody(queue: Queue) -> None:
    holder = queue.session()
    holder.begin()
    holder.claim(holder.register())
    queue.eye.rows("set lock_timeout = '1ms'")
    assert queue.eye.problems() == []


def test_a_turn_in_another_lane_is_no_turn(queue: Queue) -> None:
    """Each lane that a group stands in needs a turn of its own."""
    queue.eye.enqueue("PING", job_group="a", priority=5)
    queue.eye.rows(
        "delete from {schema}.ready"
        " where group_hash is not null and lane_id = (select max(id) from {schema}.lane)"
    )
    assert queue.eye.problems() == [("a line has neither a turn nor a lease", None, queue.group_hash("a"))]
