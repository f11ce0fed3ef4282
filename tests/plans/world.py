"""A queue in which every place is full: so many jobs ready, scheduled, in line, blocked, keyed and ended.

Filled by one statement a place, straight into the tables, which are unlogged so that many rows cost seconds.
Nothing vacuums or analyses; what the planner believes is for the test to say.
"""

from __future__ import annotations

from typing import Any, Final

from tests.support.queue import Queue

TABLES: Final = (
    "job", "ready", "waiting", "scheduled", "blocked", "dependency", "running", "finalized", "group_lease",
    "slot", "unique_key", "progress", "worker", "stat",
)  # fmt: skip

#: As many as are in hand at a time in a big fleet, whatever waits. They lie about in no order, so that
#: whoever walks them by their index touches a page for each.
NUM_RUNNING: Final = 50_000
NUM_WORKERS: Final = 50

_JOBS: Final = """
    insert into {schema}.job (
        id, definition_id, lane_id, num_attempts, num_stalls, run_at, payload, job_group, expires_at, is_tied)
    select %(base)s + n, d.id, d.lane_id, 5, 3, %(at)s, 'null', %(job_group)s, %(expires_at)s, %(is_tied)s
    from {schema}.job_definition d, generate_series(1, %(number)s) n where d.name = '%(name)s'
"""

_PAST: Final = "timestamptz '2020-01-01' + n * interval '1 ms'"
_FUTURE: Final = "timestamptz '2100-01-01' + n * interval '1 ms'"
_EACH: Final = "from {schema}.job_definition d, generate_series(1, %(number)s) n where d.name = '%(name)s'"
_DUE: Final = f"case when n <= 1000 then {_PAST} else {_FUTURE} end"
_GROUP: Final = "case when n % 2 = 0 then 'busy' else 'own ' || n end"


def build(queue: Queue) -> None:
    """Deploy definitions, each with a channel of its own, register workers; all places are empty."""
    eye = queue.eye
    for table in TABLES:
        eye.rows(f"alter table {{schema}}.{table} set unlogged")
        eye.rows(f"alter table {{schema}}.{table} set (autovacuum_enabled = off)")
    for name in ("READY", "DUE", "LINE", "LIMITED", "BLOCKED", "ENDED", "SMALL", "FREE"):
        eye.deploy(name, p_channel=name.lower(), p_num_attempts=5)
    eye.rows("select {schema}.limit_definition('LIMITED', 1000000, 1000000, 60)")
    eye.rows("select {schema}.limit_channel('small', p_max_size => 500)")
    eye.rows(
        "select {schema}.put_schedule("
        "'hourly', 'FREE', false, 3600, null, 'UTC', 'one', 'skip', '2020-01-01')"
    )
    for _ in range(NUM_WORKERS):
        eye.register()


def fill(queue: Queue, number: int) -> None:
    """Put so many jobs into every place; as many as a fleet has in hand run, if there are that many."""
    _put(queue, "READY", 1, number, f"""
        insert into {{schema}}.ready (lane_id, definition_id, run_at, job_id)
        select d.lane_id, d.id, {_PAST}, %(base)s + n {_EACH}""",
        expires_at="case when n % 2 = 0 then timestamptz '2100-01-01' end", is_tied="n % 2 = 0")  # fmt: skip
    _put(queue, "LIMITED", 2, number, f"""
        insert into {{schema}}.ready (lane_id, definition_id, run_at, job_id)
        select d.lane_id, d.id, {_PAST}, %(base)s + n {_EACH}""")  # fmt: skip
    # A thousand have come due.
    _put(queue, "DUE", 3, number, f"""
        insert into {{schema}}.scheduled (lane_id, definition_id, run_at, job_id)
        select d.lane_id, d.id, {_DUE}, %(base)s + n {_EACH}""", at=_DUE)  # fmt: skip
    # Half of them in one group, which is first; each of the others in a group of its own.
    _put(queue, "LINE", 4, number, f"""
        insert into {{schema}}.waiting (group_hash, lane_id, definition_id, job_id)
        select {{schema}}.group_hash({_GROUP}), d.lane_id, d.id, %(base)s + n {_EACH}""",
        job_group=_GROUP)  # fmt: skip
    _put(queue, "LINE", 4, number, f"""
        insert into {{schema}}.ready (lane_id, run_at, group_hash)
        select d.lane_id, {_PAST}, {{schema}}.group_hash({_GROUP}) {_EACH} and (n % 2 = 1 or n = 2)""",
        has_jobs=False)  # fmt: skip
    # Each waits for the one before; the first for nothing that ever ends.
    _put(queue, "BLOCKED", 5, number, f"""
        insert into {{schema}}.blocked (job_id, policy, created_at)
        select %(base)s + n, 'fail', timestamptz '2020-01-01' {_EACH} and n > 1""")  # fmt: skip
    _put(queue, "BLOCKED", 5, number, f"""
        insert into {{schema}}.dependency (needs_id, job_id)
        select %(base)s + n - 1, %(base)s + n {_EACH} and n > 1""", has_jobs=False)  # fmt: skip
    _put(queue, "ENDED", 6, number, f"""
        insert into {{schema}}.finalized (
            job_id, definition_id, lane_id, attempt, finalized_at, state, is_tied, purge_at)
        select %(base)s + n, d.id, d.lane_id, 1, {_PAST}, 'succeeded', true,
            case when n % 2 = 0 then timestamptz '2100-01-01' end {_EACH}""", is_tied="true")  # fmt: skip
    _put(queue, "ENDED", 6, number, f"""
        insert into {{schema}}.unique_key (job_id, definition_id, key, scope, is_held)
        select %(base)s + n, d.id, 'old ' || n, 'kept', n % 2 = 0 {_EACH}""", has_jobs=False)  # fmt: skip
    _put(queue, "ENDED", 6, min(number, 100_000), f"""
        insert into {{schema}}.progress (job_id, fraction) select %(base)s + n, 0.5 {_EACH}""",
        has_jobs=False)  # fmt: skip
    _put(queue, "ENDED", 6, min(number, 100_000), f"""
        insert into {{schema}}.stat
        select {_PAST}, 1, d.id, 1, 0, 0, 0, 0, 0, 1, 1, '{{}}', '{{}}' {_EACH}""",
        has_jobs=False)  # fmt: skip
    _put(queue, "FREE", 7, min(number, NUM_RUNNING), f"""
        insert into {{schema}}.running (job_id, definition_id, lane_id, worker_id, attempt, is_tied)
        select %(base)s + n, d.id, d.lane_id, 1 + n % {NUM_WORKERS - 10}, 1, false {_EACH}
        order by random()""")  # fmt: skip
    queue.eye.rows("select setval('{schema}.job_id_seq', 100000000)")


def _put(
    queue: Queue, name: str, place: int, number: int, entries: str, *, has_jobs: bool = True,
    at: str = _PAST, job_group: str = "null", expires_at: str = "null", is_tied: str = "false",
) -> None:  # fmt: skip
    words: dict[str, Any] = {
        "base": place * 10_000_000, "name": name, "number": number, "at": at, "job_group": job_group,
        "expires_at": expires_at, "is_tied": is_tied,
    }  # fmt: skip
    for sql in (_JOBS, entries) if has_jobs else (entries,):
        for word, text in words.items():
            sql = sql.replace(f"%({word})s", str(text))  # noqa: PLW2901 - word by word
        queue.eye.rows(sql)
