"""Foundation: the queue's tables and functions.

Revision: 0001
Follows: nothing
"""

from __future__ import annotations

from alembic import context, op

from cuckmq import generate_migration_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply version 1 of the packaged schema."""
    schema = context.get_context().opts["schema"]
    for fragment in generate_migration_sql(schema, version=int(revision)):
        op.execute(fragment)


def downgrade() -> None:
    """Leave nothing behind. The schema goes last, with alembic's own table in it: see env.py."""
