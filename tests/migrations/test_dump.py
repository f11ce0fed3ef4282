"""migrations/schema.txt tells what the schema is, on every version of PostgreSQL."""

from __future__ import annotations

import psycopg

from tests.migrations.dump import FILE, dump
from tests.support.queue import Queue


def test_the_written_schema_is_the_schema(dsn: str, schema: str) -> None:
    """A change of the schema is seen in a diff: `make schema` writes it down."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
    assert dump(dsn, schema) == FILE.read_text("utf-8"), "run `make schema` and commit migrations/schema.txt"


def test_what_a_change_of_the_schema_does_to_it(dsn: str, schema: str) -> None:
    """Columns, defaults, indexes, storage and the rights of functions are all told of."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
    seen = {dump(dsn, schema)}
    changes = [
        f"alter table {schema}.job add column origin text",
        f"alter table {schema}.job alter column origin set default 'here'",
        f"create index origins on {schema}.job (origin)",
        f"alter table {schema}.job set (fillfactor = 55)",
        f"alter table {schema}.job add constraint origin_is_short check (length(origin) < 9)",
        f"grant execute on function {schema}.wake to public",
        f"alter function {schema}.wake set work_mem = '5MB'",
    ]
    with psycopg.connect(dsn, autocommit=True) as connection:
        for change in changes:
            connection.execute(change.encode())
            seen.add(dump(dsn, schema))
    assert len(seen) == len(changes) + 1
