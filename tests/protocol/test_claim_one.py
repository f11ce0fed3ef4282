"""claim_one(): one plain job, if one stands first; all else is left to exchange()."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.queue import Queue


def test_what_it_takes_is_as_exchange_would_have_given_it(queue: Queue) -> None:
    """E7: it is running, for this worker, and its end is told as that of any other."""
    ping = queue.eye.deploy("PING", p_num_attempts=4)
    job_id, other_id = queue.eye.enqueue("PING", "[1]"), queue.eye.enqueue("PING", "[2]")
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim_one(worker_id)
    (other,) = queue.eye.claim(worker_id)
    assert (job.job_id, job.payload, other.job_id, other.payload) == (job_id, "[1]", other_id, "[2]")
    assert job._replace(job_id=other_id, payload="[2]", run_at=other.run_at) == other
    assert (job.definition_id, job.attempt) == (ping, 1)
    assert queue.counts() == {"job": 2, "running": 2}
    assert queue.eye.problems() == []
    assert queue.eye.succeed(worker_id, [job, other]) == {}
    assert {queue.state(job_id), queue.state(other_id)} == {"succeeded"}


def test_no_job_goes_to_two(queue: Queue) -> None:
    """E7: the second passes over what the first has in hand, and does not wait for it."""
    queue.eye.deploy("PING")
    job_ids = queue.eye.enqueue_many("PING", ["1"] * 2)
    one, two, three = queue.session(), queue.session(), queue.session()
    one.begin()
    (first,) = one.claim_one(one.register())
    worker_id = queue.eye.register()
    (second,) = two.claim_one(worker_id)
    assert three.claim_one(worker_id) == []
    one.rollback()
    assert [first.job_id, second.job_id] == job_ids
    assert [job.job_id for job in three.claim_one(worker_id)] == job_ids[:1]


def test_of_several_lanes_the_first_that_has_anything(queue: Queue) -> None:
    """E6, E5: by priority, and then by the order of enqueue."""
    queue.eye.deploy("PING")
    low = [queue.eye.enqueue("PING") for _ in range(2)]
    high = queue.eye.enqueue("PING", priority=5)
    worker_id = queue.eye.register()
    taken = [job.job_id for _ in range(4) for job in queue.eye.claim_one(worker_id)]
    assert taken == [high, *low]


def test_a_turn_of_a_group_that_stands_first_is_left_there(queue: Queue) -> None:
    """E8: no lease, no job; and none from behind it, or groups would be overtaken."""
    queue.eye.deploy("PING")
    grouped = queue.eye.enqueue("PING", job_group="a")
    plain = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    assert queue.eye.claim_one(worker_id) == []
    assert queue.counts() == {"job": 2, "ready": 2, "waiting": 1}
    assert [job.job_id for job in queue.eye.claim(worker_id, limit=1)] == [grouped]
    assert [job.job_id for job in queue.eye.claim_one(worker_id)] == [plain]


def test_what_only_a_look_may_serve_is_left_to_it(queue: Queue) -> None:
    """Limited and paused lanes, suspects, names and channels of others, and what came due."""
    ping = queue.eye.deploy("PING", p_num_stalls=5)
    limited, paused = queue.eye.deploy("LIMITED"), queue.eye.deploy("PAUSED", p_channel="paused")
    queue.eye.rows("select {schema}.limit_definition('LIMITED', 1, null, null)")
    queue.eye.rows("select {schema}.pause_channel('paused', true)")
    worker_id = queue.eye.register()
    suspect = queue.eye.enqueue("PING")
    queue.eye.claim(worker_id)
    queue.silence(worker_id)
    assert queue.eye.rescue() == {suspect: "queued"}
    queue.eye.rows("update {schema}.ready set is_suspect = true")
    queue.eye.enqueue("PING", delay_secs=1.0)
    queue.make_due()
    queue.eye.enqueue("LIMITED")
    queue.eye.enqueue("PAUSED")
    worker_id = queue.eye.register()
    assert queue.eye.claim_one(worker_id) == []
    plain = queue.eye.enqueue("PING")
    assert queue.eye.claim_one(worker_id, [limited, paused]) == []
    assert queue.eye.claim_one(worker_id, channel_ids=[-1]) == []
    assert [job.job_id for job in queue.eye.claim_one(worker_id, [ping])] == [plain]


def test_one_that_has_expired_comes_without_its_payload(queue: Queue) -> None:
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING", expires_secs=60.0)
    queue.eye.rows("update {schema}.job set expires_at = now() - interval '1 s'")
    (job,) = queue.eye.claim_one(queue.eye.register())
    assert job.payload is None


@pytest.mark.parametrize(("scope", "is_free"), [("queued", True), ("live", False)])
def test_a_key_that_is_held_until_the_start_is_free_then(queue: Queue, scope: str, is_free: bool) -> None:
    queue.eye.deploy("PING")
    keyed: dict[str, Any] = {"unique_key": "k", "unique_scope": scope}
    first = queue.eye.enqueue("PING", **keyed)
    assert queue.eye.enqueue("PING", **keyed) == first  # the one that holds it
    (job,) = queue.eye.claim_one(queue.eye.register())
    assert job.job_id == first
    assert (queue.eye.enqueue("PING", **keyed) != first) == is_free


def test_who_is_dead_or_has_recalled_takes_nothing(queue: Queue) -> None:
    """E15, M4: CQ002, and the job is there for others."""
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    dead, late = queue.eye.register(), queue.eye.register()
    queue.silence(dead)
    queue.eye.rescue()
    queue.eye.recall(late, [])
    for worker_id in (dead, late):
        with pytest.raises(psycopg.Error) as caught:
            queue.eye.claim_one(worker_id)
        assert caught.value.sqlstate == "CQ002"
    assert queue.state(job_id) == "queued"
    assert [job.job_id for job in queue.eye.claim_one(late, num_recalls=1)] == [job_id]
