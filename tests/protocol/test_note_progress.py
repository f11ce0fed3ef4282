"""note_progress(): fenced, and waiting for nobody."""

from __future__ import annotations

from tests.support.queue import Queue

NOTE = """
    select verdict from {schema}.note_progress(
        array[%s::bigint], array[%s::bigint], array[%s], array[0.5::float8], array[null::text],
        array['{"a": 1}'])
"""


def test_a_job_that_someone_has_hold_of_is_busy(queue: Queue) -> None:
    """G6: it neither waits for a settlement, a cancellation or a rescue, nor writes past it."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    other = queue.session()
    other.begin()
    other.rows("select from {schema}.job where id = %s for update", job_id)
    assert queue.eye.value(NOTE, worker_id, job_id, job.attempt) == "busy"
    other.rollback()
    assert queue.eye.value(NOTE, worker_id, job_id, job.attempt) == "noted"
    assert queue.eye.value(NOTE, worker_id, job_id, job.attempt + 1) == "lost"
    assert queue.eye.value(NOTE, worker_id + 1, job_id, job.attempt) == "lost"


def test_who_would_take_the_job_away_waits_for_what_is_being_written(queue: Queue) -> None:
    """G6: so a note never lands after the job is someone else's: a rescue passes the job over meanwhile."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    writer = queue.session()
    writer.begin()
    assert writer.value(NOTE, worker_id, job_id, job.attempt) == "noted"
    queue.eye.rows("update {schema}.worker set is_lost = true")
    assert queue.eye.rescue() == {}
    writer.commit()
    assert queue.eye.rescue() == {job_id: "queued"}
    assert queue.eye.value(NOTE, worker_id, job_id, job.attempt) == "lost"
    assert queue.eye.value("select notes from {schema}.all_job") == {"a": 1}
