"""Write down what running attempts say of themselves. See note_progress.sql."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from cuckmq.protocol.statement import Statement, only

NOTE: Final = """
    select job_id, verdict from {schema}.note_progress(
        %s::bigint[], %s::bigint[], %s::integer[], %s::float8[], %s::text[], %s::text[])
"""
NOTES: Final = "select {schema}.notes_of(%s)"


class Note(NamedTuple):
    """What one attempt says; None for what it does not say. `notes` is a JSON object as text."""

    worker_id: int
    job_id: int
    attempt: int
    fraction: float | None
    message: str | None
    notes: str | None


def note_progress(notes: Sequence[Note]) -> Statement[tuple[int, str]]:
    """Write notes down, one for a job at most; a row for each, of its job and verdict."""
    columns = tuple(list(column) for column in zip(*notes, strict=True))
    return Statement(NOTE, columns, lambda row: (row[0], row[1]))


def find_notes(job_id: int) -> Statement[dict[str, Any]]:
    """Find the notes of a job; no row when it has none."""
    return Statement(NOTES, (job_id,), only)
