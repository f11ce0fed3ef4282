"""What each role may do: all of it, and nothing else. Judged by the server's catalog and by trying."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors as pg

from cuckmq import Context, Orchestrator, Worker
from cuckmq.errors import InvalidName
from cuckmq.schema import generate_migration_sql
from cuckmq.schema.access import DOORS, HIDDEN, ROLES, role_prefix
from tests.support.session import Session

INTERNAL = """
    add_histograms channel_of charge claim count_line file_away finalize finish forget_channels group_hash
    has_room hold_blocked hold_keys id_base is_same_json is_suspect lane_for mark_lost may_read_payloads
    move_jobs need place promote put_back put_quota recount release_groups seat_of secs_until_due
    standing_lanes take_limited take_slices unblock untie wake withdraw worker_lock
"""
"""Functions for other functions."""

OF_THE_OWNER = """
    cancel destroy_channel evict limit_channel limit_definition limit_group pause_channel pause_schedule
    purge_channel put_schedule remove_schedule retry undeploy
"""
"""Functions for people, who act as the owner."""

OURS = "from pg_proc p where p.pronamespace = '{schema}'::regnamespace"

TABLE_RIGHTS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")


def test_each_function_is_for_someone(owner: Session) -> None:
    """A new function has to be decided upon."""
    found = [name for (name,) in owner.rows(f"select p.proname {OURS} order by p.proname")]
    assert found == sorted([*DOORS, *INTERNAL.split(), *OF_THE_OWNER.split()])


@pytest.mark.fault("I3")
def test_the_whole_catalog_grants_what_was_decided_and_no_more(owner: Session, guarded: str) -> None:
    """Each function, relation, column and sequence, for each role, and for everybody."""
    functions = owner.rows(f"select p.oid, p.proname, p.prosecdef, p.proconfig {OURS}")
    for oid, name, is_definer, settings in functions:
        assert is_definer == (name in DOORS), name
        assert not is_definer or "search_path=pg_catalog, pg_temp" in settings, name
        for role in (*ROLES, "as_stranger"):
            may = owner.value(
                "select has_function_privilege(%s, %s::oid, 'execute')", f"{guarded}_{role}", oid
            )
            assert may == (role in DOORS.get(name, ())), (role, name)
    columns = owner.rows("""
        select c.oid, c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = '{schema}'::regnamespace and c.relkind in ('r', 'v') and a.attnum > 0
    """)
    for oid, table, column in columns:
        for role in (*ROLES, "as_stranger"):
            name = f"{guarded}_{role}"
            is_shown = column not in HIDDEN and (
                role in ("worker", "observer")
                or (role == "producer" and table in ("schema_version", "job_definition"))
            )
            may = owner.value("select has_column_privilege(%s, %s::oid, %s, 'select')", name, oid, column)
            assert may == is_shown, (role, table, column)
            for right in ("insert", "update", "references"):
                may = owner.value(
                    "select has_column_privilege(%s, %s::oid, %s, %s)", name, oid, column, right
                )
                assert not may, (role, table, column, right)
    for role in (*ROLES, "as_stranger"):
        name = f"{guarded}_{role}"
        for oid in {oid for oid, _, _ in columns}:
            for right in TABLE_RIGHTS:
                assert not owner.value("select has_table_privilege(%s, %s::oid, %s)", name, oid, right)
        assert not owner.value("select has_sequence_privilege(%s, '{schema}.job_id_seq', 'usage')", name)
        assert not owner.value("select has_schema_privilege(%s, '{schema_name}', 'create')", name)
        assert owner.value("select has_schema_privilege(%s, '{schema_name}', 'usage')", name) == (
            role in ROLES
        )


def test_without_roles_everybody_is_kept_out_too(context: Context, dsn: str) -> None:
    """PUBLIC has no right to anything, whether roles are wanted or not."""
    with Session(dsn, context.schema) as eye:
        granted = eye.rows("""
            select proname from pg_proc where pronamespace = '{schema}'::regnamespace
                and (proacl is null or exists (select from aclexplode(proacl) a where a.grantee = 0))
            union all select relname from pg_class c where relnamespace = '{schema}'::regnamespace
                and exists (select from aclexplode(c.relacl) a where a.grantee = 0)
            union all select nspname from pg_namespace n where n.oid = '{schema}'::regnamespace
                and exists (select from aclexplode(n.nspacl) a where a.grantee = 0)
        """)
    assert granted == []


FORBIDDEN = {
    "producer": [
        "select payload from {schema}.job",
        "select * from {schema}.all_job",
        "select id from {schema}.job",
        "select result from {schema}.finalized",
        "update {schema}.job set payload = 'null'",
        "update {schema}.ready set run_at = now()",
        "delete from {schema}.job",
        "insert into {schema}.finalized (job_id) values (1)",
        "insert into {schema}.job (id) values (1)",
        "truncate {schema}.job",
        "select {schema}.claim(1, null, null, 1, 1, null, null)",
        "select {schema}.cancel(1)",
        "select {schema}.retry('{1}')",
        "select {schema}.peek('_default', 1)",
        "select {schema}.find_jobs()",
        "select {schema}.wake(1)",
        "select setval('{schema}.job_id_seq', 1)",
        "create table {schema}.mine (id integer)",
        "create or replace function {schema}.wake(integer) returns void language sql as ''",
        "alter function {schema}.enqueue_many security invoker",
    ],
    "worker": [
        "select payload from {schema}.job",
        "update {schema}.job set payload = 'null'",
        "update {schema}.running set attempt = 7",
        "delete from {schema}.finalized",
        "truncate {schema}.job",
        "alter table {schema}.job disable trigger all",
        "create table {schema}.mine (id integer)",
        "drop table {schema}.job cascade",
        "select {schema}.enqueue('PING')",
        "select {schema}.cancel(1)",
        "select {schema}.undeploy('PING')",
        "select {schema}.mark_lost('{1}')",
        "set role postgres",
    ],
    "observer": [
        "select payload from {schema}.job",
        "select payload from {schema}.all_job",
        "select result from {schema}.all_job",
        "select notes from {schema}.progress",
        "select * from {schema}.job",
        "copy {schema}.job to stdout",
        "select {schema}.enqueue('PING')",
        "select {schema}.cancel(1)",
        "select {schema}.claim(1, null, null, 1, 1, null, null)",
        "select {schema}.find_jobs(p_payload => '1')",
        "select {schema}.endings('{1}')",
        "update {schema}.channel set name = 'x'",
        "delete from {schema}.stat",
        "create table {schema}.mine (id integer)",
    ],
    "stranger": [
        "select * from {schema}.schema_version",
        "select {schema}.enqueue('PING')",
        "select {schema}.look('{1}')",
        "select {schema}.may_read_payloads()",
        "create table {schema}.mine (id integer)",
    ],
}

KEPT = """
    select md5(string_agg(x::text, ' ' order by x::text)) from (
        select j::text as x from {schema}.job j union all select r::text from {schema}.ready r
        union all select f::text from {schema}.finalized f
        union all select c::text from {schema}.channel c
        union all select p.oid::regprocedure::text || p.xmin::text from pg_proc p
            where p.pronamespace = '{schema}'::regnamespace
        union all select c.relname || c.xmin::text from pg_class c
            where c.relnamespace = '{schema}'::regnamespace
    ) kept
"""


@pytest.mark.fault("I4", "I5")
@pytest.mark.parametrize("role", FORBIDDEN)
def test_a_role_is_refused_what_it_may_not(owner: Session, sessions: dict[str, Session], role: str) -> None:
    """Refused as not permitted, every one, and neither rows nor catalog change."""
    owner.deploy("PING")
    owner.enqueue("PING", '"secret"')
    before = owner.value(KEPT)
    for attempt in FORBIDDEN[role]:
        try:
            sessions[role].rows(attempt)
        except pg.InsufficientPrivilege:
            continue
        except pg.UndefinedFunction as error:
            raise AssertionError(f"{attempt}: no such function to be refused") from error
        raise AssertionError(f"the {role} may: {attempt}")
    assert owner.value(KEPT) == before


@pytest.mark.fault("I3")
async def test_each_role_does_its_part_through_python(
    dsn: str, guarded: str, login: Callable[[str], str]
) -> None:
    """One puts in, one runs, one looks; each with its own login and no more."""
    ran: list[str] = []

    def context_of(dsn: str) -> Context:
        context = Context(dsn, schema=guarded)

        @context.job(name="GREET", num_attempts=2)
        async def greet(name: str) -> str:
            ran.append(name)
            return f"hello {name}"

        return context

    async with context_of(login("worker")) as hands, context_of(login("producer")) as source:
        await hands.deploy()
        async with Orchestrator(hands), Worker(hands):
            definition = source.definitions["GREET"]
            handle = await definition.enqueue("secret", unique_key="one")
            many = await definition.enqueue_many(["a", "b"])
            grouped = await definition.enqueue("c", job_group="g", delay_secs=0.1)
            assert await handle.result(timeout_secs=20) == "hello secret"
            for each in (*many, grouped):
                await each.result(timeout_secs=20)
            seen = await handle.get()
            assert (seen.state, seen.payload, seen.result) == ("succeeded", None, None)
            with pytest.raises(pg.InsufficientPrivilege):
                await handle.cancel()
            with pytest.raises(pg.InsufficientPrivilege):
                await source.jobs.list()
        assert sorted(ran) == ["a", "b", "c", "secret"]
    async with context_of(login("observer")) as eyes, context_of(dsn) as owned:
        (job,) = await eyes.jobs.list(job_group="g")
        assert (job.state, job.payload, job.result) == ("succeeded", None, None)
        assert (await eyes.jobs.count())["succeeded"] == 4
        assert await eyes.jobs.find_problems() == []
        assert [channel.name for channel in await eyes.channels.list()] == ["_default"]
        await eyes.workers.list()
        await eyes.schedules.list()
        await eyes.stats.now()
        with pytest.raises(pg.InsufficientPrivilege):
            await eyes.definitions["GREET"].enqueue("x")
        (job,) = await owned.jobs.list(job_group="g")
        assert (job.payload, job.result) == ("c", "hello c")


async def test_a_migration_gives_roles_once_more_and_takes_what_is_too_much(
    dsn: str, guarded: str, owner: Session
) -> None:
    """By hand a right was given; migrating with roles takes it away. Twice, and at once, is fine."""
    owner.rows(f"grant select on {{schema}}.job to {guarded}_producer")
    async with Context(dsn, schema=guarded) as context:
        await asyncio.gather(*(context.migrate(roles=True) for _ in range(4)))
    may = owner.value(
        "select has_column_privilege(%s, '{schema}.job', 'payload', 'select')", f"{guarded}_producer"
    )
    assert not may


def test_doors_stay_doors_when_functions_are_written_anew(dsn: str, guarded: str, owner: Session) -> None:
    """`create or replace` would make them ordinary functions, and lose nothing of the grants."""
    owner.rows("update {schema}.schema_version set functions_fingerprint = 'old'")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for fragment in generate_migration_sql(guarded):
            connection.execute(fragment.encode())
    assert {name for (name,) in owner.rows(f"select p.proname {OURS} and p.prosecdef")} == set(DOORS)
    assert owner.value(
        "select has_function_privilege(%s, '{schema}.look(bigint[])', 'execute')", f"{guarded}_observer"
    )


@pytest.mark.parametrize(
    ("schema", "roles", "prefix"),
    [("_cuckmq", True, "cuckmq"), ("jobs", True, "jobs"), ("_pg_x", True, "_pg_x"), ("_", True, "_"),
     ("_1", True, "_1"), ("jobs", "shop", "shop")],
)  # fmt: skip
def test_the_names_of_roles(schema: str, roles: bool | str, prefix: str) -> None:
    assert role_prefix(schema, roles) == prefix
    assert f'create role "{prefix}_worker" nologin' in generate_migration_sql(schema, roles=roles)[-1]


@pytest.mark.parametrize("prefix", ['x"; drop schema public cascade; --', "pg_x", "", " ", "a" * 49])
def test_a_prefix_that_means_more_than_itself_is_refused(prefix: str) -> None:
    if prefix:
        with pytest.raises(InvalidName):
            generate_migration_sql(roles=prefix)
    else:
        assert generate_migration_sql(roles=prefix) == generate_migration_sql()
