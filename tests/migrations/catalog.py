"""What a schema holds, read from the server's own catalog, in words that can be compared."""

from __future__ import annotations

import re
from typing import Any

import psycopg

RELATIONS = """
    select 'relation', c.relkind::text, c.relname, c.reloptions::text,
        case c.relkind when 'v' then pg_get_viewdef(c.oid) when 'i' then pg_get_indexdef(c.oid) end
    from pg_class c where c.relnamespace = %(schema)s::regnamespace and c.relname !~ '^alembic_version'
"""
COLUMNS = """
    select 'column', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.attidentity::text, pg_get_expr(d.adbin, d.adrelid)
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = %(schema)s::regnamespace and c.relkind in ('r', 'v') and a.attnum > 0
        and c.relname !~ '^alembic_version'
"""
CONSTRAINTS = """
    select 'constraint', x.conname, x.conrelid::regclass::text, pg_get_constraintdef(x.oid)
    from pg_constraint x where x.connamespace = %(schema)s::regnamespace and x.conname !~ '^alembic_version'
"""
FUNCTIONS = """
    select 'function', p.proname, pg_get_functiondef(p.oid), p.proacl::text
    from pg_proc p where p.pronamespace = %(schema)s::regnamespace
"""
VERSIONS = """
    select 'version', v.version, v.serves_from, v.functions_fingerprint from {schema}.schema_version v
"""


def describe(dsn: str, schema: str) -> list[tuple[Any, ...]]:
    """Every relation, column, constraint, function and version of a schema, its own name left out."""
    found: list[tuple[Any, ...]] = []
    with psycopg.connect(dsn) as connection:
        for query in (RELATIONS, COLUMNS, CONSTRAINTS, FUNCTIONS, VERSIONS.format(schema=schema)):
            rows = connection.execute(query.encode(), {"schema": schema}).fetchall()
            found += [tuple(_nameless(value, schema) for value in row) for row in rows]
    return sorted(found, key=repr)


def _nameless(value: Any, schema: str) -> Any:
    return re.sub(rf'"?\b{schema}\b"?', "SCHEMA", value) if isinstance(value, str) else value
