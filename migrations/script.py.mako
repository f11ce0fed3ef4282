"""${message}.

Revision: ${up_revision}
Follows: ${down_revision | comma,n}
"""

from __future__ import annotations

from alembic import context, op

from cuckmq import generate_migration_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Apply version ${up_revision} of the packaged schema."""
    schema = context.get_context().opts["schema"]
    for fragment in generate_migration_sql(schema, version=int(revision)):
        op.execute(fragment)


def downgrade() -> None:
    """Undo what version ${up_revision} did."""
    ${downgrades if downgrades else 'raise NotImplementedError("say how to go back")'}
