"""Keys cost what is keyed, however many others there are."""

from __future__ import annotations

from tests.plans.test_claim_cost import MAX_PAGES, warm_up
from tests.support.buffers import buffers, claim_buffers
from tests.support.queue import Queue

FILL_KEYS = """
    insert into {schema}.unique_key (job_id, definition_id, key, scope, is_held)
    select -n, 1, 'old ' || n, 'kept', n %% 2 = 0 from generate_series(1, %s) n
"""
ENQUEUE = "select {schema}.enqueue_many('PING', %s, p_unique_keys => %s::text[], p_unique_scope => %s)"
SETTLE = (
    "select * from {schema}.settle(%s, %s, array_fill(1, array[100]), array_fill(%s::text, array[100]),"
    " array_fill('declared'::text, array[100]), array_fill('[]'::text, array[100]),"
    " array_fill(0::float8, array[100]), '{}')"
)


def test_keys_cost_what_is_keyed(queue: Queue) -> None:
    """C8: enqueue, claim, settlement and retry of a hundred, beside 300,000 keys and without statistics."""
    worker_id = queue.eye.register()
    warm_up(queue, worker_id)
    queue.eye.rows(FILL_KEYS, 300_000)
    for session in (queue.eye, queue.session()):
        for turn in range(7):
            keys = [f"{session.pid} {turn} {number}" for number in range(100)]
            asked = (["1"] * 100, keys, "queued" if turn % 2 else "live")
            _, put_in = buffers(session, ENQUEUE, *asked)
            _, refused = buffers(session, ENQUEUE, *asked)
            rows, claimed = claim_buffers(session, worker_id)
            ids = [row[0] for row in session.rows("select job_id from {schema}.running")]
            _, failed = buffers(session, SETTLE, worker_id, ids, "failed")
            _, retried = buffers(session, "select * from {schema}.retry(%s)", ids)
            assert rows == 100
            if turn:  # a session's first calls read the catalogs as well
                assert max(put_in, refused, claimed, failed, retried) < MAX_PAGES
            for job_id in ids:
                session.cancel(job_id)
