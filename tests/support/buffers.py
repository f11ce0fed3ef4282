"""How much a call reads: pages touched, in the cache or not. A count, so no load of the machine moves it."""

from __future__ import annotations

import json
from typing import Any

from cuckmq.schema import render
from tests.support.session import CLAIM, Session


def buffers(session: Session, sql: str, *parameters: Any) -> tuple[int, int]:
    """Run a statement; give the number of its rows, and of the pages that it touched.

    Pages touched inside of functions count as well.
    """
    explain = "explain (analyze, buffers, timing off, format json) "
    cursor = session.connection.execute(render(explain + sql, session.schema).encode(), parameters or None)
    row = cursor.fetchone()
    assert row is not None
    (report,) = row[0] if isinstance(row[0], list) else json.loads(row[0])
    plan = report["Plan"]
    return int(plan["Actual Rows"]), int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def claim_buffers(
    session: Session,
    worker_id: int,
    limit: int = 100,
    *,
    slice: int = 1,  # noqa: A002 - as the function has it
    mark: Any = None,
    channel_ids: list[int] | None = None,
) -> tuple[int, int]:
    """Claim PING, and give the number of jobs and of pages touched."""
    lanes, marks = ([], []) if mark is None else ([1], [mark])
    return buffers(session, CLAIM, worker_id, worker_id, channel_ids, [1], limit, slice, lanes, marks)
