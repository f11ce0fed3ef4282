"""What the tests of the queue's SQL share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.queue import Queue


@pytest.fixture
def queue(dsn: str, schema: str) -> Iterator[Queue]:
    """A fresh queue, which must be in order when the test is over."""
    with Queue(dsn, schema) as queue:
        queue.migrate()
        yield queue
        assert queue.eye.problems() == []
