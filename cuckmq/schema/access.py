"""Who may do what: three roles, the functions open to each, and the columns that are shown.

A function that is open to a role is a *door*. Doors run with the rights of the schema's owner (`security
definer`, with a pinned `search_path`), so that a role needs the right to call them and none on what lies
behind: no role may write to any table. All other functions are internal and closed to everyone but the
owner. `PUBLIC` has no right to anything in the schema.

- A *producer* puts jobs in, and asks by id how they end. It sees no payload.
- A *worker* runs workers and orchestrators. It gets the payloads of the jobs that it claims.
- An *observer* looks at everything but payloads, results and notes.

Whoever may do more (cancel, retry, pause, limit, read payloads, migrate) is the owner, or a member of the
owner's role.

Doors are opened whenever functions are written, for `create or replace` makes them ordinary functions
again; roles are made and granted to only when they are asked for. A role is known to the whole cluster, so
its name carries a prefix: by default the schema's name without leading underscores.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cuckmq.names import check_schema_name

__all__ = ["DOORS", "HIDDEN", "ROLES", "SHOWN", "opening", "role_grants", "role_prefix"]

ROLES: Final = ("producer", "worker", "observer")

_WORK: Final = frozenset({"worker"})
_SIGHT: Final = frozenset({"worker", "observer"})
_PUT: Final = frozenset({"producer"})
_ASK: Final = frozenset(ROLES)

DOORS: Final[dict[str, frozenset[str]]] = {
    "check_invariants": frozenset({"observer"}),
    "claim_one": _WORK,
    "deploy": _WORK,
    "due_schedules": _WORK,
    "endings": frozenset({"producer", "worker"}),
    "enqueue": _PUT,
    "enqueue_many": _PUT,
    "enqueue_one": _PUT,
    "exchange": _WORK,
    "expire": _WORK,
    "fence": _WORK,
    "find_circle": _WORK,
    "find_jobs": _SIGHT,
    "find_orphans": _SIGHT,
    "gauge_lane": _SIGHT,
    "heartbeat": _WORK,
    "hold_worker": _WORK,
    "holder_of": frozenset({"producer", "observer"}),
    "lanes_of": _SIGHT,
    "list_schedules": _SIGHT,
    "look": _ASK,
    "look_around": _WORK,
    "note_progress": _WORK,
    "notes_of": _WORK,
    "peek": _SIGHT,
    "publish_events": _WORK,
    "purge": _WORK,
    "purge_stats": _WORK,
    "reap": _WORK,
    "recall": _WORK,
    "record_stats": _WORK,
    "register_worker": _WORK,
    "rescue": _WORK,
    "retire_worker": _WORK,
    "secs_until_slot": _WORK,
    "serve": _WORK,
    "settle": _WORK,
    "subscribe": _SIGHT,
    "tick": _WORK,
    "unblock_stragglers": _WORK,
    "unsubscribe": _SIGHT,
}
"""The functions that are open, and to whom. What is not named is internal, or the owner's."""

HIDDEN: Final = frozenset({"payload", "result", "notes"})
"""Columns that only the owner reads, whatever the table."""

SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "producer": ("schema_version", "job_definition"),
    "worker": (),
    "observer": (),
}
"""Relations of which a role reads all that is not hidden; for those without a list, all of them."""


def role_prefix(schema: str, roles: bool | str) -> str:
    """Tell with what the names of a schema's roles begin.

    Raises:
        InvalidName: the prefix is not one that a schema could have for a name.
    """
    if isinstance(roles, str):
        return check_schema_name(roles)
    bare = schema.lstrip("_")
    is_usable = bare[:1].isalpha() and not bare.lower().startswith("pg_")
    return bare if is_usable else schema


def opening() -> str:
    """Write the statements that close the schema to everyone and make doors of the open functions."""
    return f"""\
    revoke all on schema {{schema}} from public;
    revoke all on all tables in schema {{schema}} from public;
    revoke all on all sequences in schema {{schema}} from public;
    revoke all on all functions in schema {{schema}} from public;
    declare
        v_door regprocedure;
    begin
        for v_door in
            select p.oid from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
            where n.nspname = '{{schema_name}}' and p.proname in ({_texts(DOORS)})
        loop
            execute pg_catalog.format('alter function %s security definer', v_door);
        end loop;
    end;"""


def role_grants(prefix: str) -> str:
    """Write the statements that make the roles, and give each what it needs and nothing else."""
    return "\n".join(_grants_of(role, f"{prefix}_{role}") for role in ROLES)


def _grants_of(role: str, name: str) -> str:
    doors = [door for door, roles in DOORS.items() if role in roles]
    shown = f"and c.relname in ({_texts(SHOWN[role])})" if SHOWN[role] else ""
    return f"""\
    declare
        v_right text;
    begin
        -- Roles belong to the cluster: another schema, another database or a person may have made it.
        if not exists (select from pg_catalog.pg_roles r where r.rolname = '{name}') then
            begin
                create role "{name}" nologin;
            exception when duplicate_object or unique_violation then
                null;  -- just now
            end;
        end if;
        revoke all on all tables in schema {{schema}} from "{name}";
        revoke all on all functions in schema {{schema}} from "{name}";
        grant usage on schema {{schema}} to "{name}";
        for v_right in
            select pg_catalog.format('execute on function %s', p.oid::pg_catalog.regprocedure)
            from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
            where n.nspname = '{{schema_name}}' and p.proname in ({_texts(doors)})
            union all
            select pg_catalog.format('select (%s) on %s',
                pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', '), c.oid::pg_catalog.regclass)
            from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            join pg_catalog.pg_attribute a on a.attrelid = c.oid
            where n.nspname = '{{schema_name}}' and c.relkind in ('r', 'v') {shown}
                and c.relname !~ '^alembic_version'
                and a.attnum > 0 and not a.attisdropped and a.attname not in ({_texts(sorted(HIDDEN))})
            group by c.oid
        loop
            execute pg_catalog.format('grant %s to "{name}"', v_right);
        end loop;
    end;"""


def _texts(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
