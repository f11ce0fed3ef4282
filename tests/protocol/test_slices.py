"""How much of a group's line one claim takes, and how the groups share."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from cuckmq._runtime.lookout import places
from tests.support.queue import Queue

LIMIT = 64
MIN_TURNS = 16


def put_in(queue: Queue, num_groups: int, num_jobs: int) -> None:
    """Put in so many jobs of each group, in turn."""
    names = [f"g{each}" for each in range(num_groups)]
    queue.eye.enqueue_many("PING", ["1"] * num_groups * num_jobs, names * num_jobs)


def num_by_group(jobs: list[Any]) -> Counter[str | None]:
    return Counter(job.job_group for job in jobs)


def test_of_long_lines_a_claim_takes_few_and_much_of_each(queue: Queue) -> None:
    """As many turns as fill the limit with a fair share of each line; the others stay where they are."""
    queue.eye.deploy("PING")
    put_in(queue, 100, 10)
    counts = num_by_group(queue.eye.claim(queue.eye.register(), limit=LIMIT, slice=LIMIT))
    assert dict(counts) == {f"g{each}": LIMIT // MIN_TURNS for each in range(MIN_TURNS)}
    assert queue.count("ready") == 100 - MIN_TURNS


def test_of_short_lines_a_claim_takes_as_many_as_it_may_take_jobs(queue: Queue) -> None:
    queue.eye.deploy("PING")
    put_in(queue, 100, 1)
    assert len(queue.eye.claim(queue.eye.register(), limit=LIMIT, slice=LIMIT)) == LIMIT
    assert queue.count("ready") == 100 - LIMIT


def test_of_few_lines_a_claim_takes_all_that_it_may(queue: Queue) -> None:
    queue.eye.deploy("PING")
    put_in(queue, 2, 100)
    counts = num_by_group(queue.eye.claim(queue.eye.register(), limit=LIMIT, slice=LIMIT))
    assert counts == {"g0": LIMIT // 2, "g1": LIMIT // 2}


def test_every_lane_of_a_worker_has_a_turn(queue: Queue) -> None:
    """Its lanes run side by side, and the jobs of a slice do not."""
    queue.eye.deploy("PING")
    put_in(queue, 100, 10)
    worker_id = queue.eye.register()
    queue.eye.rows("update {schema}.worker set concurrency = 32 where id = %s", worker_id)
    assert len(num_by_group(queue.eye.claim(worker_id, limit=LIMIT, slice=LIMIT))) == 32


def test_turns_and_jobs_share_the_limit(queue: Queue) -> None:
    queue.eye.deploy("PING")
    queue.eye.enqueue_many("PING", ["1"] * (LIMIT - 8))
    put_in(queue, 10, 10)
    counts = num_by_group(queue.eye.claim(queue.eye.register(), limit=LIMIT, slice=LIMIT))
    assert dict(counts) == {None: LIMIT - 8, "g0": 4, "g1": 4}


def test_a_turn_without_a_line_is_cleared_away(queue: Queue) -> None:
    """Others have served its group meanwhile; it takes a place in no claim after this."""
    queue.eye.deploy("PING")
    worker_id = queue.eye.register()
    put_in(queue, 1, 1)
    put_in(queue, 1, 1)
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id, limit=1))
    queue.eye.succeed(worker_id, queue.eye.claim(worker_id, limit=1))
    assert queue.count("waiting") == 0
    while queue.count("ready"):
        assert queue.eye.claim(worker_id, limit=LIMIT, slice=LIMIT) == []
    assert queue.count("group_lease") == 0


def test_no_group_is_served_again_and_again_before_another(queue: Queue) -> None:
    """E7: with looks from the marks alone, as a worker looks until it sweeps.

    The last jobs of a slice were put in after other groups' turns: what they would mark leaves those behind.
    """
    queue.eye.deploy("PING")
    num_groups = 2 * MIN_TURNS
    put_in(queue, num_groups, 40)
    worker_id, visits, marks = queue.eye.register(), Counter[str | None](), dict[int, Any]()
    for _ in range(8):
        jobs = queue.eye.claim(worker_id, limit=LIMIT, slice=LIMIT, marks=marks)
        marks = dict(places(cast(Any, jobs)))
        visits.update({job.job_group for job in jobs})
        queue.eye.succeed(worker_id, jobs)
    assert set(visits.values()) == {8 * MIN_TURNS // num_groups}
