"""purge(): history goes by age, a batch at a time."""

from __future__ import annotations

import pytest

from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome


def finalize(queue: Queue, number: int) -> list[int]:
    """Put jobs in and run them; the first is the oldest by an hour, and so on."""
    job_ids = queue.eye.enqueue_many("PING", ["1"] * number)
    worker_id = queue.eye.register()
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id, limit=number))
    for place, job_id in enumerate(job_ids):
        queue.eye.rows(
            "update {schema}.finalized set finalized_at = now() - make_interval(hours => %s)"
            " where job_id = %s",
            number - place, job_id,
        )  # fmt: skip
    return job_ids


def test_only_what_is_old_enough_goes(queue: Queue) -> None:
    """L1: and it is told which."""
    queue.eye.deploy("PING")
    job_ids = finalize(queue, 5)
    assert sorted(queue.eye.purge(2.5 * 3600)) == job_ids[:3]
    assert queue.eye.purge(2.5 * 3600) == []
    assert [queue.state(job_id) for job_id in job_ids] == [None] * 3 + ["succeeded"] * 2


def test_live_jobs_are_never_purged(queue: Queue) -> None:
    """L1: however old they are."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    queue.eye.rows("update {schema}.job set created_at = now() - interval '9 years'")
    assert queue.eye.purge(0.0) == []
    assert queue.state(job_id) == "queued"


def test_a_batch_is_the_oldest(queue: Queue) -> None:
    queue.eye.deploy("PING")
    job_ids = finalize(queue, 5)
    assert sorted(queue.eye.purge(0.0, 2)) == job_ids[:2]
    assert sorted(queue.eye.purge(0.0, 2)) == job_ids[2:4]
    assert queue.eye.purge(0.0, 2) == job_ids[4:]


def test_two_purge_different_rows_and_neither_waits(queue: Queue) -> None:
    """L4: many orchestrators are no trouble."""
    queue.eye.deploy("PING")
    job_ids = finalize(queue, 4)
    one, two = queue.session(), queue.session()
    two.rows("set lock_timeout = '1s'")
    one.begin()
    assert sorted(one.purge(0.0, 2)) == job_ids[:2]
    assert sorted(two.purge(0.0, 10)) == job_ids[2:]
    one.commit()
    assert queue.count("finalized") == 0


@pytest.mark.fault("H10")
def test_who_purges_keeps_nobody_waiting(queue: Queue) -> None:
    """L4: jobs are put in, claimed, ended and retried beside a purge that is not committed yet."""
    queue.eye.deploy("PING")
    finalize(queue, 4)
    one, two = queue.session(), queue.session()
    two.rows("set lock_timeout = '100ms'")
    one.begin()
    assert len(one.purge(0.0, 4)) == 4
    worker_id = two.register()
    job_ids = two.enqueue_many("PING", ["1"] * 5, ["g", None, None, None, None])
    jobs = sorted(two.claim(worker_id), key=lambda job: job.group_hash is not None)
    assert {job.job_id for job in jobs} == set(job_ids)
    two.succeed(worker_id, jobs[1:])
    two.settle(worker_id, [Outcome(jobs[0].job_id, jobs[0].attempt, "error", "error", ERROR)])
    one.commit()
    assert queue.count("finalized") == 5


@pytest.mark.fault("H10")
def test_history_that_is_purged_makes_room_for_more(queue: Queue) -> None:
    """L1: the tables grow no more once there is room for one cycle's jobs."""
    queue.eye.deploy("PING")
    worker_id = queue.eye.register()
    sizes: list[int] = []
    for _ in range(6):
        queue.eye.enqueue_many("PING", ["1"] * 1000)
        while jobs := queue.eye.claim(worker_id, limit=200):
            queue.eye.succeed(worker_id, jobs)
        while queue.eye.purge(0.0, 300):
            pass
        queue.eye.rows("vacuum {schema}.job, {schema}.ready, {schema}.running, {schema}.finalized")
        sizes.append(
            queue.eye.value(
                "select sum(pg_total_relation_size(oid))::bigint from pg_class"
                " where relnamespace = %s::regnamespace and relkind = 'r'",
                queue.schema,
            )
        )
    assert queue.count("finalized") == 0
    assert sizes[-1] <= 1.1 * sizes[2]


def test_a_definition_is_forgotten_with_its_last_job(queue: Queue) -> None:
    """L3: not while it is deployed, not while a job bears its name, and not too early."""
    queue.eye.deploy("PING")
    finalize(queue, 1)
    queue.eye.value("select {schema}.undeploy('PING')")
    queue.eye.deploy("OTHER")
    age = "update {schema}.job_definition set undeployed_at = now() - interval '1 hour' where name = 'PING'"
    queue.eye.rows(age)
    assert queue.eye.purge(7200.0) == []
    assert queue.count("job_definition") == 2
    assert len(queue.eye.purge(60.0)) == 1
    assert queue.eye.purge(60.0) == []
    assert queue.eye.rows("select name from {schema}.job_definition") == [("OTHER",)]


def test_a_live_job_keeps_its_definition(queue: Queue) -> None:
    """L3: what is there is still run by workers that know the name."""
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    queue.eye.value("select {schema}.undeploy('PING')")
    assert queue.eye.purge(0.0) == []
    assert queue.count("job_definition") == 1
