"""A migration script: apply the queue's SQL with any driver, in a transaction of your own.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/migrate.py`

Running it again changes nothing. `await context.migrate()` and `cuckmq migrate` do the same.
"""

import os
import sys

import psycopg

from cuckmq import generate_migration_sql

SCHEMA = sys.argv[1] if len(sys.argv) > 1 else "_job"

with psycopg.connect(os.environ["CUCKMQ_DATABASE_URL"]) as connection:
    for fragment in generate_migration_sql(SCHEMA):
        connection.execute(fragment.encode())

print(f"schema {SCHEMA} is up to date")
