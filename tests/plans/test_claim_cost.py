"""A claim costs what it takes, whatever else lies in the tables and whatever the planner believes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.buffers import buffers, claim_buffers
from tests.support.queue import Queue

#: Pages that one claim of a hundred may touch: about thirty for each job, most of them the upper pages
#: of indexes, touched again for every row. One scan of a table of 100,000 would be thousands more.
MAX_PAGES = 4000

FILL_READY = """
    with put_in as (
        insert into {schema}.job (id, definition_id, lane_id, num_attempts, num_stalls, run_at, payload)
        select n, 1, 1, 1, 3, 'epoch'::timestamptz + n * interval '1 ms', 'null'
        from generate_series(1, %s) n
    )
    insert into {schema}.ready (lane_id, definition_id, run_at, job_id)
    select 1, 1, 'epoch'::timestamptz + n * interval '1 ms', n from generate_series(1, %s) n
"""

FILL_WAITING = """
    with put_in as (
        insert into {schema}.job (id, definition_id, lane_id, num_attempts, num_stalls, run_at, payload,
            job_group)
        select n, 1, 1, 1, 3, 'epoch'::timestamptz + n * interval '1 ms', 'null', 'busy'
        from generate_series(1, %s) n
    )
    insert into {schema}.waiting (group_hash, lane_id, definition_id, job_id)
    select {schema}.group_hash('busy'), 1, 1, n from generate_series(1, %s) n
"""

FILL_HISTORY = """
    with put_in as (
        insert into {schema}.job (id, definition_id, lane_id, num_attempts, num_stalls, run_at, payload)
        select -n, 1, 1, 1, 3, now(), 'null' from generate_series(1, %s) n
    )
    insert into {schema}.finalized (job_id, definition_id, lane_id, attempt, finalized_at, state, is_tied)
    select -n, 1, 1, 1, now() - n * interval '1 s', 'succeeded', false from generate_series(1, %s) n
"""


def fill(queue: Queue, sql: str, number: int) -> None:
    """Put rows in, straight into the tables; whatever was planned before goes on as planned."""
    queue.eye.rows(sql, *[number] * sql.count("%s"))


def warm_up(queue: Queue, worker_id: int) -> None:
    """Let the session make its plans while the tables are empty, and keep them."""
    queue.eye.rows("select setval('{schema}.job_id_seq', 2000000)")
    for _ in range(8):
        queue.eye.enqueue("PING")
        queue.eye.enqueue("PING", job_group="a")
        queue.eye.succeed(worker_id, queue.eye.claim(worker_id))


@pytest.mark.parametrize("number", [0, 100_000, 1_000_000])
def test_the_length_of_the_line_does_not_matter(queue: Queue, number: int) -> None:
    """With plans made on empty tables, with new ones, and statistics in neither case."""
    worker_id = queue.eye.register()
    warm_up(queue, worker_id)
    fill(queue, FILL_READY, number)
    newcomer = queue.session()
    for session in (queue.eye, newcomer):
        for _ in range(7):
            rows, pages = claim_buffers(session, worker_id)
            assert rows == min(number, 100)
            assert pages < MAX_PAGES


def test_settling_costs_what_is_settled(queue: Queue) -> None:
    """Beside 300,000 live jobs and as many in history."""
    worker_id = queue.eye.register()
    warm_up(queue, worker_id)
    fill(queue, FILL_READY, 300_000)
    fill(queue, FILL_HISTORY, 300_000)
    settle = (
        "select * from {schema}.settle(%s, %s, array_fill(1, array[100]),"
        " array_fill('succeeded'::text, array[100]),"
        " array_fill(null::text, array[100]), array_fill('1'::text, array[100]),"
        " array_fill(0::float8, array[100]), '{}')"
    )
    for session in (queue.eye, queue.session()):
        for _ in range(7):
            jobs = session.claim(worker_id, limit=100)
            _, pages = buffers(session, settle, worker_id, [job.job_id for job in jobs])
            assert pages < MAX_PAGES


def test_history_does_not_matter_to_a_claim(queue: Queue) -> None:
    """300,000 finalized jobs."""
    worker_id = queue.eye.register()
    warm_up(queue, worker_id)
    fill(queue, FILL_HISTORY, 300_000)
    fill(queue, FILL_READY, 1000)
    for session in (queue.eye, queue.session()):
        for _ in range(5):
            rows, pages = claim_buffers(session, worker_id)
            assert rows == 100
            assert pages < MAX_PAGES


@pytest.mark.parametrize("slice_", [1, 20])
def test_a_busy_group_is_in_nobodys_way(queue: Queue, slice_: int) -> None:
    """E8: 200,000 jobs in its line; claims of others, its own claims and its releases stay small."""
    holder, other = queue.eye.register(), queue.eye.register()
    warm_up(queue, other)
    fill(queue, FILL_WAITING, 200_000)
    busy = queue.group_hash("busy")
    queue.eye.rows("insert into {schema}.ready (lane_id, run_at, group_hash) values (1, now(), %s)", busy)
    release = "select {schema}.release_groups(%s, array[%s])"
    for session in (queue.eye, queue.session()):
        for is_first in (True, *[False] * 6):
            rows, pages = claim_buffers(session, holder, slice=slice_)
            assert rows == slice_
            # Two thousand would be the whole line. A session's first call reads the catalogs as well.
            assert is_first or pages < 1000 + 20 * slice_
            session.enqueue_many("PING", ["1"] * 100, [None, "b"] * 50)
            rows, pages = claim_buffers(session, other)
            assert rows == 51
            assert pages < MAX_PAGES
            session.succeed(other, [])
            session.retire(other)
            other = session.register()
            session.rows("delete from {schema}.ready")
            session.rows("delete from {schema}.waiting where group_hash <> %s", busy)
            session.rows("delete from {schema}.job where job_group is distinct from 'busy'")
            _, pages = buffers(session, release, holder, busy)
            assert pages < 400
            session.recall(holder)


def test_a_held_snapshot_does_not_slow_a_drain_with_marks(queue: Queue) -> None:
    """Nothing dead can be cleaned away; each claim starts where the one before has come to.

    A claim without a mark is the proof that the test sees it: it walks over all that was taken before.
    """
    worker_id = queue.eye.register()
    fill(queue, FILL_READY, 300_000)
    held = queue.session()
    held.rows("begin isolation level repeatable read")
    held.rows("select count(*) from {schema}.schema_version")
    for table, column in (("ready", "job_id"), ("job", "id")):
        queue.eye.rows(f"delete from {{schema}}.{table} where {column} <= 290000")
    mark: Any = queue.eye.value("select min(run_at) from {schema}.job")
    costs: list[int] = []
    for _ in range(20):
        rows, pages = claim_buffers(queue.eye, worker_id, mark=mark)
        assert rows == 100
        costs.append(pages)
        mark = queue.eye.value(
            "select max(j.run_at) from {schema}.job j join {schema}.running r on r.job_id = j.id"
        )
    assert max(costs) < MAX_PAGES
    assert costs[-1] < 1.5 * costs[0]
    rows, unmarked = claim_buffers(queue.eye, worker_id)
    held.rollback()
    assert rows == 100
    assert unmarked > costs[-1] + 2000


def test_limits_of_others_cost_nothing(queue: Queue) -> None:
    """E21: fifty limited channels with a backlog, and one without limits: not a page more for each job."""
    worker_id = queue.eye.register()
    warm_up(queue, worker_id)
    queue.eye.enqueue_many("PING", ["1"] * 2000)
    channel_id = queue.eye.value("select id from {schema}.channel where name = '_default'")
    _, before = claim_buffers(queue.eye, worker_id, channel_ids=[channel_id])
    for number in range(50):
        queue.eye.enqueue("PING", channel=f"limited {number}")
        queue.eye.rows(f"select {{schema}}.limit_channel('limited {number}', p_concurrency => 1)")
    rows, after = claim_buffers(queue.eye, worker_id, channel_ids=[channel_id])
    assert rows == 100
    assert after < before + 100, "a look at the rows of the lanes, and no more"
