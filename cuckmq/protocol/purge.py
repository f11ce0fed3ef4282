"""Delete old history. See purge.sql."""

from __future__ import annotations

from typing import Final

from cuckmq.protocol.statement import Statement, only

SQL: Final = "select * from {schema}.purge(%s::float8, %s::integer)"


def purge(*, older_than_secs: float, limit: int) -> Statement[int]:
    """Delete finalized jobs of that age, or of their definition's own; a row per job deleted, of its id."""
    return Statement(SQL, (older_than_secs, limit), only)
