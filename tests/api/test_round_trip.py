"""What enqueue accepts is stored letter by letter and read back equal; all else is refused by it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cuckmq import Context
from cuckmq.errors import InvalidPayload
from tests.support.queue import Queue
from tests.unit.test_payload_round_trip import ANY_JSON

ODD = [
    "\0", "\ud800", float("nan"), float("inf"), b"\xff", 10**4000, 2**70, -0.0, 1e308,
    {"a": 1, "b": [None, ""]}, "\\u0000", "\x7f\u2028\U0010ffff",
]  # fmt: skip


@pytest.mark.fault("F2")
def test_accepted_and_identical_or_refused_at_once(dsn: str, schema: str) -> None:
    """B2, B7: never at the claim, whatever the value."""
    context = Context(dsn, schema=schema)

    @context.job(name="echo")
    def echo(payload: Any) -> None: ...

    with Queue(dsn, schema) as queue:
        queue.migrate()
        queue.eye.deploy("echo")
        worker_id = queue.eye.register()
        accepted, refused = [0], [0]

        @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(st.lists(ANY_JSON, min_size=1, max_size=8))
        @example(ODD)
        def go_round(values: list[Any]) -> None:
            for value in values:
                try:
                    text, _ = echo.prepare(value)
                except InvalidPayload:
                    refused[0] += 1
                    with pytest.raises(InvalidPayload):
                        echo.enqueue_sync(value)
                    continue
                accepted[0] += 1
                job_id = echo.enqueue_sync(value).id
                (job,) = queue.eye.claim(worker_id)
                stored = queue.eye.value("select payload::text from {schema}.job where id = %s", job_id)
                assert stored == text
                assert job.job_id == job_id
                assert echo.payload_codec.decode(stored) == value
                queue.eye.succeed(worker_id, [job])

        try:
            go_round()
        finally:
            asyncio.run(context.close())
        assert accepted[0] > 100
        assert refused[0] > 5
        assert queue.eye.problems() == []
