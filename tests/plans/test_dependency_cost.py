"""Dependencies cost what waits, and what nobody waits for pays for none of them."""

from __future__ import annotations

import pytest

from tests.plans.test_claim_cost import FILL_HISTORY, MAX_PAGES, fill, warm_up
from tests.support.buffers import buffers
from tests.support.queue import Queue

FILL_DEPENDENCIES = """
    with put_in as (
        insert into {schema}.job (id, definition_id, lane_id, num_attempts, num_stalls, run_at, payload)
        select 5000000 + n, 1, 1, 1, 3, now(), 'null' from generate_series(1, %s) n
    ), blocked as (
        insert into {schema}.blocked (job_id, policy)
        select 5000000 + n, 'fail' from generate_series(2, %s) n
    )
    insert into {schema}.dependency (needs_id, job_id)
    select 5000000 + n - 1, 5000000 + n from generate_series(2, %s) n
"""
ENQUEUE = "select {schema}.enqueue_many('PING', %s, p_needs_ids => %s)"
SETTLE = (
    "select * from {schema}.settle(%s, %s, array_fill(1, array[100]),"
    " array_fill('succeeded'::text, array[100]), '{}', '{}', array_fill(0::float8, array[100]), '{}')"
)
PURGE = "select {schema}.purge(0.0, 100)"


@pytest.mark.parametrize("is_analysed", [False, True])
def test_dependencies_cost_what_waits(queue: Queue, is_analysed: bool) -> None:
    """E31: each step for a hundred jobs, beside 300,000 that wait and as many in history."""
    worker_id = queue.eye.register()
    warm_up(queue, worker_id)
    fill(queue, FILL_DEPENDENCIES, 300_000)
    fill(queue, FILL_HISTORY, 300_000)
    if is_analysed:
        for table in ("job", "blocked", "dependency", "finalized"):
            queue.eye.rows(f"analyze {{schema}}.{table}")
    for session in (queue.eye, queue.session()):
        for keep_secs in (None, 0):
            session.deploy("PING", p_keep_succeeded_secs=keep_secs)
            for _ in range(7):
                plain = session.enqueue_many("PING", ["1"] * 100)
                session.claim(worker_id, limit=100)
                _, settled = buffers(session, SETTLE, worker_id, plain)

                parents = session.enqueue_many("PING", ["1"] * 100)
                _, put_in = buffers(session, ENQUEUE, ["1"], parents)
                session.claim(worker_id, limit=100)
                _, opened = buffers(session, SETTLE, worker_id, parents)
                (child,) = session.claim(worker_id, limit=100)
                session.succeed(worker_id, [child])
                _, purged = buffers(session, PURGE)
                assert max(settled, put_in, opened, purged) < MAX_PAGES, (settled, put_in, opened, purged)
