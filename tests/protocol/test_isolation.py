"""Nothing in the queue depends on who calls it, and nothing reaches outside its schema."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cuckmq.schema import generate_migration_sql
from cuckmq.schema.access import DOORS
from tests.support.queue import Queue
from tests.support.session import ERROR, Outcome, Session

#: Without settings of their own: so that the planner can inline them, or that a call is quick.
QUALIFIED = {"group_hash", "id_base", "is_suspect", "seat_of", "worker_lock"}

#: Everything that unqualified names and signs in the queue's SQL could be mistaken for.
EVIL = """
    create schema {schema}_evil;
    set search_path = {schema}_evil;
    create table job (id bigint);
    create table ready (id bigint);
    create table worker (id bigint);
    create function boom() returns boolean language plpgsql as 'begin raise exception ''evil''; end';
    create function evil(int, int) returns boolean language sql as 'select {schema}_evil.boom()';
    create function evil(bigint, bigint) returns boolean language sql as 'select {schema}_evil.boom()';
    create function evil(text, text) returns boolean language sql as 'select {schema}_evil.boom()';
    create function evil(float8, int) returns boolean language sql as 'select {schema}_evil.boom()';
    create function evil(timestamptz, timestamptz) returns boolean language sql
        as 'select {schema}_evil.boom()';
    create function evil_text(text, text) returns text language sql as 'select ''evil''::text';
    create operator = (function = evil, leftarg = int, rightarg = int);
    create operator = (function = evil, leftarg = bigint, rightarg = bigint);
    create operator = (function = evil, leftarg = text, rightarg = text);
    create operator <> (function = evil, leftarg = text, rightarg = text);
    create operator >= (function = evil, leftarg = int, rightarg = int);
    create operator >= (function = evil, leftarg = float8, rightarg = int);
    create operator <= (function = evil, leftarg = int, rightarg = int);
    create operator < (function = evil, leftarg = timestamptz, rightarg = timestamptz);
    create operator > (function = evil, leftarg = timestamptz, rightarg = timestamptz);
    create operator || (function = evil_text, leftarg = text, rightarg = text);
    create function now() returns timestamptz language sql as 'select ''epoch''::timestamptz';
    create function clock_timestamp() returns timestamptz language sql as 'select ''epoch''::timestamptz';
    create function length(text) returns int language sql as 'select 999999';
    create function hashtextextended(text, bigint) returns bigint language sql as 'select 1::bigint';
    create function pg_notify(text, text) returns void language sql as 'select {schema}_evil.boom()';
    create function pg_advisory_xact_lock(bigint) returns void language sql as 'select {schema}_evil.boom()';
    create function greatest_secs() returns int language sql as 'select 1';
    reset search_path;
"""


@pytest.fixture
def evil(dsn: str, schema: str) -> Iterator[str]:
    """A search path on which everything of the above stands before PostgreSQL's own."""
    with Session(dsn, schema) as session:
        session.rows(EVIL.replace("{schema}", schema))
        yield f"{schema}_evil, pg_catalog"
        session.rows(f"drop schema {schema}_evil cascade")


def live(session: Session) -> None:
    """Call every verb, in a life of several jobs."""
    ping = session.deploy("PING", p_num_attempts=2, p_repeat_secs=60.0)
    session.enqueue_many("PING", ["1", "2", "3", "4"], [None, None, "a", "a"])
    delayed = session.enqueue("PING", delay_secs=60.0, channel="new", priority=3)
    assert len(session.tick([ping])) == 2
    worker_id = session.register(channels=["_default", "new"])
    jobs = session.claim(worker_id, [ping], limit=4)
    assert len(jobs) == 4
    grouped = next(job for job in jobs if job.job_group == "a")
    plain = [job for job in jobs if job.job_group is None]
    assert session.heartbeat(worker_id, jobs) == (True, [], [])
    assert session.cancel(delayed) == "cancelled"
    assert session.cancel(plain[2].job_id) == "requested"
    session.settle(
        worker_id,
        [
            Outcome(grouped.job_id, 1, detail="1"),
            Outcome(plain[0].job_id, 1, "error", "error", ERROR, 60.0),
            Outcome(plain[1].job_id, 1, "snoozed", delay_secs=60.0),
        ],
        [grouped.group_hash or 0],
    )
    assert session.recall(worker_id, [plain[2].job_id]) == []
    assert len(session.claim(worker_id, [ping])) == 1
    session.rows("select {schema}.hold_worker(%s)", worker_id)
    assert session.rescue() == {}
    assert len(session.retire(worker_id)) == 1
    session.rows("select * from {schema}.find_orphans(null, '{}')")
    session.rows("select {schema}.undeploy('PING')")
    assert len(session.purge(0.0)) == 3


@pytest.mark.fault("B22")
def test_a_hostile_search_path_changes_nothing(queue: Queue, evil: str) -> None:
    """A2: for who calls the functions."""
    session = queue.session()
    session.rows(f"set search_path = {evil}")
    live(session)
    session.rows("reset search_path")


@pytest.mark.fault("B22")
def test_a_hostile_search_path_while_migrating_changes_nothing(dsn: str, schema: str, evil: str) -> None:
    """A2: for who writes the tables, whose checks and defaults are bound for good."""
    with Queue(dsn, schema) as queue:
        queue.eye.rows(f"set search_path = {evil}")
        for fragment in generate_migration_sql(schema):
            queue.eye.connection.execute(fragment.encode())
        queue.eye.rows("reset search_path")
        bound = queue.eye.rows(
            "select d.classid::regclass::text, d.objid from pg_depend d"
            " join pg_proc p on d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid"
            " where p.pronamespace = '{schema_name}_evil'::regnamespace"
            " and d.classid <> 'pg_operator'::regclass"
        )
        assert bound == []
        live(queue.eye)


def test_every_function_names_its_search_path(queue: Queue) -> None:
    """A2: save those in which every name is qualified, to be inlined or to be quick."""
    rows = queue.eye.rows(
        "select proname, coalesce(array_to_string(proconfig, ';'), ''), prosrc from pg_proc"
        " where pronamespace = '{schema}'::regnamespace"
    )
    assert len(rows) > 25
    bare = {name for name, config, _ in rows if "search_path=pg_catalog, pg_temp" not in config}
    assert bare == QUALIFIED


def test_only_doors_run_with_the_rights_of_their_owner(queue: Queue) -> None:
    sql = "select proname from pg_proc where pronamespace = '{schema}'::regnamespace and prosecdef"
    assert {name for (name,) in queue.eye.rows(sql)} == set(DOORS)


def test_there_is_no_trigger_but_untie(queue: Queue) -> None:
    """And those with which PostgreSQL itself keeps foreign keys."""
    sql = (
        "select distinct tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid"
        " where c.relnamespace = '{schema}'::regnamespace and not t.tgisinternal"
    )
    assert queue.eye.rows(sql) == [("untie",)]


def test_no_foreign_key_leaves_the_schema(queue: Queue) -> None:
    """And none comes in."""
    sql = (
        "select k.conname from pg_constraint k join pg_class a on a.oid = k.conrelid"
        " join pg_class b on b.oid = k.confrelid"
        " where k.contype = 'f' and a.relnamespace <> b.relnamespace"
        " and '{schema}'::regnamespace in (a.relnamespace, b.relnamespace)"
    )
    assert queue.eye.rows(sql) == []
