"""The queue in SQL: its tables as numbered versions, its verbs as one function a file.

`versions/` holds what is done once, in order: tables, indexes, their changes. `functions/` holds the
functions as they are now; they are written anew whenever they differ from what the database has.
Together they are the one truth, from which `Context.migrate()`, `cuckmq migrate`, the alembic
environment and a user's own migration all draw.

How it can be applied twice, or by 25 sessions at once: every fragment is one statement that first
takes a transaction-level lock, then looks whether its work is done already. So fragments may be run
in one transaction or each in its own, in one session or in many, and a run that breaks off is
continued by the next.

Each version says in its first line which libraries it serves: `-- Serves libraries from version 1.`
Whoever knows that version, or a later one, may work on it, so that an old worker can come back in the
middle of a rollout. Only who writes a version knows what it takes away, and the old library cannot:
hence it stands in the schema, where the old library reads it.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from cuckmq.names import check_schema_name
from cuckmq.schema.access import opening, role_grants, role_prefix

__all__ = ["SCHEMA_VERSION", "functions_fingerprint", "generate_migration_sql", "render"]

_FOLDER: Final = resources.files("cuckmq.schema")


class Version(NamedTuple):
    """A version of the tables."""

    number: int
    serves_from: int  # the oldest version whose library may work on it
    ddl: str


def read_version(name: str, ddl: str) -> Version:
    """Read a version from its file.

    Raises:
        ValueError: it does not say which libraries it serves, or none that there are.
    """
    number = int(name[:4])
    said = re.match(r"-- Serves libraries from version (\d+)\.\n", ddl)
    if said is None or not 1 <= int(said[1]) <= number:
        raise ValueError(
            f"{name} must begin with `-- Serves libraries from version N.`, N being 1 to {number}: the oldest"
            " version whose library neither uses what it takes away nor trips over what it adds"
        )
    return Version(number, int(said[1]), ddl)


@cache
def _versions() -> tuple[Version, ...]:
    files = (_FOLDER / "versions").iterdir()
    return tuple(
        sorted(
            read_version(file.name, file.read_text("utf-8")) for file in files if file.name.endswith(".sql")
        )
    )


@cache
def _functions() -> str:
    files = sorted((_FOLDER / "functions").iterdir(), key=lambda file: file.name)
    return "\n".join(file.read_text("utf-8") for file in files if file.name.endswith(".sql"))


SCHEMA_VERSION: Final = _versions()[-1].number
"""The version of the tables that this library works with."""


@cache
def functions_fingerprint() -> str:
    """A short name for the exact text of all functions, by which a database tells its own age."""
    return hashlib.sha256((_functions() + opening()).encode()).hexdigest()[:16]


def render(template: str, schema: str) -> str:
    """Put the schema's name into SQL: `{schema}` as an identifier, `{schema_name}` as bare text.

    Plain replacement is safe here because a schema name has passed `check_schema_name`: there is
    nothing in it to quote or to escape.
    """
    return template.replace("{schema}", f'"{schema}"').replace("{schema_name}", schema)


def generate_migration_sql(
    schema: str = "_cuckmq", *, version: int = SCHEMA_VERSION, roles: bool | str = False
) -> list[str]:
    """Write the SQL that brings a database to a version of the queue's schema.

    Each fragment is one statement and idempotent: run them in order, in one transaction or in
    several, once or often, alone or beside others doing the same. What is there already stays.

    Args:
        schema: the schema to create and fill; nothing outside of it is touched.
        version: how far to go; all the way unless an older library must go on working. The
            functions come with the last version.
        roles: make the roles `<prefix>_producer`, `<prefix>_worker` and `<prefix>_observer` too, and grant
            each what it needs. The prefix is the schema's name without leading underscores, or the text
            given. Needs the last version, and a migrating role that may create roles. On a newer schema,
            roles are left as they are.

    Returns:
        The fragments, in the order in which to run them.

    Raises:
        InvalidName: the schema's name, or the prefix, is not allowed.
        ValueError: there is no such version, or roles are asked for before the last.
    """
    check_schema_name(schema)
    if not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(f"version {version} is not one of 1 to {SCHEMA_VERSION}")
    steps = [_FOUNDATION]
    steps += [_step(each) for each in _versions() if each.number <= version]
    if version == SCHEMA_VERSION:
        steps.append(_functions_step())
    if roles:
        if version != SCHEMA_VERSION:
            raise ValueError(
                "roles come with the functions, and these with the last version: leave out `version`"
            )
        steps.append(_roles_step(role_prefix(schema, roles)))
    return [render(step, schema) for step in steps]


_LOCK: Final = (
    "perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('{schema_name}:migrate', 0));"
)

_BEGIN: Final = f"""\
do $cuckmq$
declare
    v_search_path text := pg_catalog.current_setting('search_path');
    v_check_function_bodies text := pg_catalog.current_setting('check_function_bodies');
begin
    {_LOCK}
    -- What is bound here is bound for good, so it is looked up where nobody else can put anything.
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform pg_catalog.set_config('check_function_bodies', 'off', true);
"""

_END: Final = """\
    perform pg_catalog.set_config('check_function_bodies', v_check_function_bodies, true);
    perform pg_catalog.set_config('search_path', v_search_path, true);
end $cuckmq$
"""

_FOUNDATION: Final = f"""\
{_BEGIN}
    create schema if not exists {{schema}};
    create table if not exists {{schema}}.schema_version (
        version integer primary key,
        serves_from integer not null check (serves_from between 1 and version),
        functions_fingerprint text,
        applied_at timestamptz not null default pg_catalog.now()
    );
{_END}"""


def _step(version: Version) -> str:
    number, serves_from, ddl = version
    return f"""\
{_BEGIN}
    if not exists (select from {{schema}}.schema_version v where v.version = {number}) then
{ddl}
    insert into {{schema}}.schema_version (version, serves_from) values ({number}, {serves_from});
    end if;
{_END}"""


def _functions_step() -> str:
    fingerprint = functions_fingerprint()
    return f"""\
{_BEGIN}
    -- Newer functions are left alone; equal ones need no work.
    if not exists (
        select from {{schema}}.schema_version v
        where v.version > {SCHEMA_VERSION} or v.functions_fingerprint = '{fingerprint}'
    ) then
{_functions()}
{opening()}
    update {{schema}}.schema_version v set functions_fingerprint = '{fingerprint}'
    where v.version = {SCHEMA_VERSION};
    end if;
{_END}"""


def _roles_step(prefix: str) -> str:
    return f"""\
{_BEGIN}
    -- What belongs to a newer library's roles is not known here, and would be taken from them.
    if not exists (select from {{schema}}.schema_version v where v.version > {SCHEMA_VERSION}) then
{role_grants(prefix)}
    end if;
{_END}"""
