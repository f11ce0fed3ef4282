"""Act on all jobs that fit, however many: page by page, and never in one large transaction.

A cancellation holds its job's row to the end of its transaction, and the settlement of that job waits for
it; so each job is cancelled by itself. A retry locks rows of history in the order of their ids, and then
unique keys in theirs. Nobody else waits for those but other retries, and whoever asks for such a key; so it
is done a page at a time.

What is found is acted on a moment later. It may have gone on by then, which is what the answers tell.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final, Literal, TypeAlias

from cuckmq.cancellation import cancel_job
from cuckmq.database.database import Database
from cuckmq.hub import EventHub
from cuckmq.protocol.find_jobs import Filter, find_job_ids
from cuckmq.protocol.retry import retry

PAGE: Final = 1000

CancelAnswer: TypeAlias = Literal["cancelled", "requested", "ended"]
"""What a cancellation came to.

`cancelled`: it had not started, and never will. `requested`: it runs, and its worker is told; it may still
end as it would have, but not start again. `ended`: it had ended before.
"""

RetryAnswer: TypeAlias = Literal["queued", "duplicate"]
"""What a retry came to: it may run again; or another job holds its unique key by now, so it was left."""


async def cancel_many(database: Database, events: EventHub, wanted: Filter) -> dict[int, CancelAnswer]:
    """Cancel each job that fits, in a transaction of its own. Gives what became of each."""
    answers: dict[int, Any] = {}
    async for job_ids in _pages(database, wanted):
        for job_id in job_ids:
            answers[job_id] = await cancel_job(job_id, database, events) or "ended"
    return answers


async def retry_many(database: Database, wanted: Filter) -> dict[int, RetryAnswer]:
    """Retry each job that fits, a page in a transaction. Gives what became of each that was retried here."""
    answers: dict[int, Any] = {}
    async for job_ids in _pages(database, wanted):
        answers.update((each.job_id, each.verdict) for each in await database.run(retry(job_ids)))
    return answers


async def _pages(database: Database, wanted: Filter) -> AsyncGenerator[list[int]]:
    """Find the ids of all jobs that fit, oldest first. One that begins a new life is not met again."""
    after: int | None = None
    while job_ids := await database.run(find_job_ids(wanted, after=after, limit=PAGE)):
        yield job_ids
        after = job_ids[-1]
