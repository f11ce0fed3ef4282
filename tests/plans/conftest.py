"""What the tests of costs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.queue import Queue


@pytest.fixture
def queue(dsn: str, schema: str) -> Iterator[Queue]:
    """A fresh queue whose tables nobody vacuums or analyses, with one definition, PING (1, in lane 1)."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
        for table in ("job", "ready", "waiting", "scheduled", "running", "finalized", "group_lease"):
            queue.eye.rows(f"alter table {{schema}}.{table} set (autovacuum_enabled = off)")
        queue.eye.deploy("PING")
        yield queue
