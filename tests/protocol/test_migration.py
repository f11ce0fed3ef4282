"""generate_migration_sql(): ordered, idempotent, and about its own schema only."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from cuckmq.errors import InvalidName
from cuckmq.schema import generate_migration_sql
from tests.support.queue import Queue

NUM_SESSIONS = 25

#: Everything the catalogs know of a schema, with what a repetition must not change.
CATALOG = """
    select 'class', c.oid, c.relname, c.xmin::text from pg_class c
    where c.relnamespace = %(schema)s::regnamespace
    union all
    select 'proc', p.oid, p.proname, p.xmin::text from pg_proc p
    where p.pronamespace = %(schema)s::regnamespace
    union all
    select 'constraint', c.oid, c.conname, c.xmin::text from pg_constraint c
    where c.connamespace = %(schema)s::regnamespace
"""

#: How many of each kind of thing there are outside of one schema.
OUTSIDE = """
    select 'class' as kind, count(*) from pg_class where relnamespace <> all(%(inside)s::oid[])
    union all select 'proc', count(*) from pg_proc where pronamespace <> all(%(inside)s::oid[])
    union all select 'type', count(*) from pg_type where typnamespace <> all(%(inside)s::oid[])
    union all select 'operator', count(*) from pg_operator
    union all select 'role', count(*) from pg_roles where rolname !~ '^test_'
    union all select 'extension', count(*) from pg_extension
    union all select 'event trigger', count(*) from pg_event_trigger
    order by kind
"""


@pytest.fixture
def queue(dsn: str, schema: str) -> Iterator[Queue]:
    """Not migrated yet."""
    with Queue(dsn, schema) as queue:
        yield queue


def catalog(queue: Queue) -> list[tuple[object, ...]]:
    rows = queue.eye.connection.execute(CATALOG, {"schema": queue.schema}).fetchall()
    return sorted(rows)


def is_usable(queue: Queue) -> bool:
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    worker_id = queue.eye.register()
    return job_id in {job.job_id for job in queue.eye.claim(worker_id)} and queue.eye.retire(worker_id) != []


def test_twice_is_once(queue: Queue) -> None:
    """A3: the second time changes nothing at all."""
    queue.migrate()
    before = catalog(queue)
    assert len(before) > 50
    queue.migrate()
    assert catalog(queue) == before
    assert is_usable(queue)


def test_a_migration_keeps_what_is_in_the_queue(queue: Queue) -> None:
    """A3"""
    queue.migrate()
    queue.eye.deploy("PING")
    job_id = queue.eye.enqueue("PING")
    queue.migrate()
    assert queue.state(job_id) == "queued"


@pytest.mark.fault("H7")
def test_by_25_sessions_at_once(queue: Queue) -> None:
    """A3: nobody fails, and there is one of everything."""
    barrier = Barrier(NUM_SESSIONS, timeout=30)

    def migrate() -> None:
        with psycopg.connect(queue.dsn, autocommit=True) as connection:
            barrier.wait()
            for fragment in generate_migration_sql(queue.schema):
                connection.execute(fragment.encode())

    with ThreadPoolExecutor(NUM_SESSIONS) as threads:
        for done in [threads.submit(migrate) for _ in range(NUM_SESSIONS)]:
            done.result(timeout=60)
    assert queue.eye.value("select count(*) from {schema}.schema_version") == 1
    before = catalog(queue)
    queue.migrate()
    assert catalog(queue) == before
    assert is_usable(queue)


def test_in_a_transaction_of_the_users_own(queue: Queue) -> None:
    """A3: from their own migration, together with their own tables, or not at all."""
    queue.eye.begin()
    queue.eye.rows("create temporary table theirs (id integer)")
    queue.migrate()
    queue.eye.rollback()
    assert queue.eye.value("select to_regnamespace('{schema_name}')") is None
    queue.eye.begin()
    queue.migrate()
    queue.eye.deploy("PING")
    queue.eye.enqueue("PING")
    queue.eye.commit()
    assert queue.counts() == {"job": 1, "ready": 1}


def test_the_users_transaction_is_left_as_it_was(queue: Queue) -> None:
    """A3: no setting of theirs is another after it."""
    queue.eye.begin()
    queue.eye.rows("set local search_path = public")
    settings = "select name, setting from pg_settings where name not like 'plpgsql.%'"
    before = dict(queue.eye.rows(settings))
    queue.migrate()
    assert dict(queue.eye.rows(settings)) == before
    queue.eye.rollback()


@pytest.mark.parametrize("stop_after", range(1, len(generate_migration_sql("x"))))
def test_a_migration_broken_off_is_continued(queue: Queue, stop_after: int) -> None:
    """A3: after any of its fragments."""
    for fragment in generate_migration_sql(queue.schema)[:stop_after]:
        queue.eye.connection.execute(fragment.encode())
    queue.migrate()
    assert is_usable(queue)


def test_a_fragment_broken_off_leaves_nothing_of_itself(queue: Queue) -> None:
    """M2: each is one statement, so a lost connection cannot leave half a schema."""
    for fragment in generate_migration_sql(queue.schema):
        before = queue.eye.rows("select count(*) from pg_class")
        queue.eye.begin()
        queue.eye.connection.execute(fragment.encode())
        queue.eye.rollback()
        assert queue.eye.rows("select count(*) from pg_class") == before
        queue.eye.connection.execute(fragment.encode())
    assert is_usable(queue)


def test_functions_are_written_anew_when_they_differ(queue: Queue) -> None:
    """A3: and a newer library's are left alone."""
    queue.migrate()
    source = "select prosrc from pg_proc where oid = '{schema}.wake'::regproc"
    right = queue.eye.value(source)
    broken = (
        "create or replace function {schema}.wake(p_channel_id integer) returns void"
        " language plpgsql as 'begin end'"
    )
    queue.eye.rows(broken)
    queue.eye.rows("update {schema}.schema_version set functions_fingerprint = 'old'")
    queue.migrate()
    assert queue.eye.value(source) == right
    queue.eye.rows(broken)
    queue.eye.rows("insert into {schema}.schema_version values (9999, 1, 'newer')")
    queue.migrate()
    assert queue.eye.value(source) == "begin end"


@pytest.mark.parametrize(
    "name", ["", "1a", "a-b", 'a"b', "a b", "a;b", "pg_queue", "PG_queue", "ä", "a" * 49, "a\n", "{schema}"]
)
def test_names_that_mean_more_than_themselves_are_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        generate_migration_sql(name)


@pytest.mark.parametrize("version", [0, -1, 10_000])
def test_there_is_no_such_version(version: int) -> None:
    with pytest.raises(ValueError, match="is not one of"):
        generate_migration_sql("a", version=version)


def test_nothing_outside_the_schema_is_touched(queue: Queue) -> None:
    """A2: no table, function, type, role, extension."""

    def outside() -> list[tuple[object, ...]]:
        inside = "select oid from pg_namespace where nspname = %s or nspname ~ '^(test_|pg_temp|pg_toast)'"
        oids = [row[0] for row in queue.eye.rows(inside, queue.schema)]
        return queue.eye.connection.execute(OUTSIDE, {"inside": oids}).fetchall()

    before = outside()
    queue.migrate()
    assert is_usable(queue)
    assert outside() == before


def test_two_schemas_do_not_see_each_other(dsn: str, queue: Queue) -> None:
    """A2: neither their jobs nor their groups, their wake-ups nor their dead."""
    queue.migrate()
    with Queue(dsn, f"{queue.schema}_b") as other:
        other.migrate()
        for each in (queue, other):
            each.eye.deploy("PING")
        mine = queue.eye.enqueue("PING", job_group="a")
        theirs = other.eye.enqueue("PING", job_group="a")
        listener = other.session()
        listener.rows('listen "cuckmq.{schema_name}"')
        assert queue.group_hash("a") != other.group_hash("a")
        queue.eye.begin()
        (job,) = queue.eye.claim(queue.eye.register())
        (their_job,) = other.eye.claim(other.eye.register())
        assert (job.job_id, their_job.job_id) == (mine, theirs)
        rescuer = other.session()
        queue.eye.rescue()
        other.silence(1)
        assert rescuer.rescue() == {theirs: "queued"}
        queue.eye.enqueue("PING")
        queue.eye.commit()
        other.eye.enqueue("PING")
        notes = list(listener.connection.notifies(timeout=0.2))
        assert {note.channel for note in notes} == {f"cuckmq.{other.schema}"}
        assert other.counts() == {"job": 2, "ready": 2, "waiting": 1}
        other.eye.rows("drop schema {schema} cascade")
        assert queue.eye.problems() == []
