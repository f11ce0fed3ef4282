"""Find the job that holds a unique key. See hold_keys.sql."""

from __future__ import annotations

from typing import Final

from cuckmq.protocol.statement import Statement, only

HOLDER: Final = """
    select k.job_id from {schema}.unique_key k
    join {schema}.job_definition d on d.id = k.definition_id
    where d.name = %s and k.key = %s and k.is_held
        and (k.held_until is null or k.held_until > clock_timestamp())
"""


def find_holder(definition: str, key: str) -> Statement[int]:
    """Find who holds the key; a row of the job's id, or none."""
    return Statement(HOLDER, (definition, key), only)
