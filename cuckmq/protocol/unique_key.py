"""Find the job that holds a unique key. See holder_of.sql."""

from __future__ import annotations

from typing import Final

from cuckmq.protocol.statement import Statement, only

HOLDER: Final = "select {schema}.holder_of(%s, %s)"


def find_holder(definition: str, key: str) -> Statement[int]:
    """Find who holds the key; a row of the job's id, or none."""
    return Statement(HOLDER, (definition, key), only)
