"""What the tests of time share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cuckmq import Context
from tests.support.queue import Queue


@pytest.fixture
def queue(dsn: str, schema: str) -> Iterator[Queue]:
    """A fresh queue, which must be in order when the test is over."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
        yield queue
        assert queue.eye.problems() == []


@pytest.fixture
def queue_of(context: Context, dsn: str) -> Iterator[Queue]:
    """The queue of the context, seen from SQL."""
    with Queue(dsn, context.schema) as queue:
        yield queue
