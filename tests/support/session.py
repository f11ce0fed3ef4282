"""A session with the database, in the words of the queue's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import psycopg

from cuckmq.protocol import tick as protocol_tick
from cuckmq.recurrence import Recurrence
from cuckmq.schema import render


class Claimed(NamedTuple):
    """A job that was claimed."""

    job_id: int
    attempt: int
    definition_id: int
    lane_id: int
    run_at: Any
    job_group: str | None
    group_hash: int | None
    is_suspect: bool
    error_count: int
    stall_count: int
    num_attempts: int
    payload: str


class Outcome(NamedTuple):
    """What is given to settle() for one attempt."""

    job_id: int
    attempt: int
    outcome: str = "succeeded"
    reason: str | None = None
    detail: str | None = None
    delay_secs: float | None = 0.0


CLAIM: Final = f"""
    select {", ".join(Claimed._fields)} from {{schema}}.exchange(
        %s, (select w.num_recalls from {{schema}}.worker w where w.id = %s),
        '{{}}', '{{}}', '[]', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}', '{{}}',
        %s::integer[], %s::integer[], %s, %s, %s::integer[], %s::timestamptz[])
    where verdict is null
"""
ERROR: Final = '{"type": "ValueError", "message": "no"}'


class Session:
    """One connection. Each call commits by itself, unless `begin()` came before.

    Args:
        dsn: where.
        schema: the queue's; `{schema}` and `{schema_name}` in SQL stand for it.
    """

    def __init__(self, dsn: str, schema: str) -> None:
        self.schema = schema
        self.connection: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)
        self.pid = self.connection.info.backend_pid
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="session")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session; a call still under way is cancelled."""
        if not self.connection.closed:
            self.connection.cancel()
        self._threads.shutdown()
        self.connection.close()

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement and give its rows, none when it has none."""
        cursor = self.connection.execute(render(sql, self.schema).encode(), parameters or None)
        return [] if cursor.description is None else cursor.fetchall()

    def value(self, sql: str, *parameters: Any) -> Any:
        """Run a statement and give the first column of its only row."""
        ((value, *_),) = self.rows(sql, *parameters)
        return value

    def begin(self) -> None:
        """Hold everything from here on, until commit() or rollback()."""
        self.rows("begin")

    def commit(self) -> None:
        self.rows("commit")

    def rollback(self) -> None:
        self.rows("rollback")

    def start(self, call: Any, *arguments: Any, **options: Any) -> Future[Any]:
        """Begin a call in a thread of this session's own: for calls that are meant to wait."""
        return self._threads.submit(call, *arguments, **options)

    def deploy(self, name: str, **options: Any) -> int:
        """Call deploy(); options by their names in SQL."""
        named = "".join(f", {key} => %s" for key in options)
        definition_id: int = self.value(f"select {{schema}}.deploy(%s{named})", name, *options.values())
        return definition_id

    def enqueue(self, name: str, payload: str = "null", **options: Any) -> int:
        """Call enqueue(); options by their names in SQL."""
        named = "".join(f", {key} => %s" for key in options)
        job_id: int = self.value(
            f"select {{schema}}.enqueue(%s, %s::json{named})", name, payload, *options.values()
        )
        return job_id

    def enqueue_many(
        self, name: str, payloads: Sequence[str | None], groups: Any = None, **options: Any
    ) -> list[int]:
        """Call enqueue_many(); options by their names in SQL."""
        named = "".join(f", {key} => %s" for key in options)
        job_ids: list[int] = self.value(
            f"select {{schema}}.enqueue_many(%s, %s::text[], %s::text[]{named})",
            name, list(payloads), groups, *options.values(),
        )  # fmt: skip
        return job_ids

    def register(self, *, channels: list[str] | None = None, lease_secs: float = 3600.0) -> int:
        """Call register_worker(); gives the worker's id."""
        worker_id: int = self.value(
            "select worker_id from {schema}.register_worker('w', 'h', 1, '0', 1, %s, %s)",
            channels, lease_secs,
        )  # fmt: skip
        return worker_id

    def claim(
        self,
        worker_id: int,
        definition_ids: Sequence[int] | None = None,
        *,
        limit: int = 100,
        slice: int = 1,  # noqa: A002 - as the function has it
        channel_ids: list[int] | None = None,
        marks: dict[int, Any] | None = None,
    ) -> list[Claimed]:
        """Claim, and settle nothing; all definitions are known unless some are named."""
        marks = marks or {}
        rows = self.rows(
            CLAIM, worker_id, worker_id, channel_ids, self._known(definition_ids), limit, slice,
            list(marks), list(marks.values()),
        )  # fmt: skip
        return [Claimed._make(row) for row in rows]

    def claim_one(
        self,
        worker_id: int,
        definition_ids: Sequence[int] | None = None,
        *,
        channel_ids: list[int] | None = None,
        num_recalls: int = 0,
    ) -> list[Claimed]:
        """Call claim_one(); all definitions are known unless some are named."""
        rows = self.rows(
            f"select {', '.join(Claimed._fields)}"
            " from {schema}.claim_one(%s, %s, %s::integer[], %s::integer[])",
            worker_id, num_recalls, channel_ids, self._known(definition_ids),
        )  # fmt: skip
        return [Claimed._make(row) for row in rows]

    def _known(self, definition_ids: Sequence[int] | None) -> list[int]:
        if definition_ids is None:
            return [row[0] for row in self.rows("select id from {schema}.job_definition")]
        return list(definition_ids)

    def settle(
        self, worker_id: int, outcomes: Sequence[Outcome] = (), groups: Sequence[int] = ()
    ) -> dict[int, str]:
        """Call settle(); gives the verdicts by job (or by group, for `emptied`)."""
        columns: Any = zip(*outcomes, strict=True) if outcomes else ((),) * 6
        rows = self.rows(
            "select * from {schema}.settle(%s, %s::bigint[], %s::integer[], %s::text[], %s::text[],"
            " %s::text[], %s::float8[], %s::bigint[])",
            worker_id, *map(list, columns), list(groups),
        )  # fmt: skip
        return {row[0]: row[1] for row in rows}

    def succeed(self, worker_id: int, jobs: Sequence[Claimed]) -> dict[int, str]:
        """Settle these as succeeded, and release their groups."""
        return self.settle(
            worker_id,
            [Outcome(job.job_id, job.attempt, detail="null") for job in jobs],
            sorted({job.group_hash for job in jobs if job.group_hash is not None}),
        )

    def heartbeat(self, worker_id: int, jobs: Sequence[Claimed] = ()) -> tuple[bool, list[int], list[int]]:
        """Call heartbeat(); gives whether alive, jobs lost, jobs cancelled."""
        ((is_alive, lost, cancelled),) = self.rows(
            "select * from {schema}.heartbeat(%s, %s::bigint[], %s::integer[])",
            worker_id, [job.job_id for job in jobs], [job.attempt for job in jobs],
        )  # fmt: skip
        return is_alive, lost, cancelled

    def rescue(self, job_group_unlock_secs: float = 10_800.0) -> dict[int, str]:
        """Call rescue(); gives what became of each job taken away."""
        rows = self.rows(
            "select job_id, verdict from {schema}.rescue(%s) where job_id is not null", job_group_unlock_secs
        )
        return dict(rows)

    def reap(self) -> list[tuple[Any, ...]]:
        """Call reap(); a row for each dead worker and job: worker, job, verdict."""
        return self.rows("select worker_id, job_id, verdict from {schema}.reap()")

    def evict(self, worker_id: int) -> list[tuple[Any, ...]]:
        """Call evict(); rows as of reap()."""
        return self.rows("select worker_id, job_id, verdict from {schema}.evict(%s)", worker_id)

    def recall(self, worker_id: int, kept: Sequence[int] = ()) -> list[int]:
        job_ids: list[int] = self.value("select {schema}.recall(%s, %s::bigint[])", worker_id, list(kept))
        return job_ids

    def retire(self, worker_id: int) -> list[int]:
        job_ids: list[int] = self.value("select {schema}.retire_worker(%s)", worker_id)
        return job_ids

    def cancel(self, job_id: int) -> str | None:
        verdict: str | None = self.value("select {schema}.cancel(%s)", job_id)
        return verdict

    def tick(self, definition_ids: Sequence[int]) -> list[tuple[Any, ...]]:
        """Do what a Ticker does: name, slot and job of each slot served, name and slot of each orphan.

        The last row, without a name, tells the seconds to the next slot.
        """
        answer: list[tuple[Any, ...]] = []
        for row in self.rows(protocol_tick.DUE, list(definition_ids)):
            due = protocol_tick.Due._make(row)
            if not due.is_known:
                answer.append((due.name, due.due_at, None, None))
                continue
            recurrence = Recurrence(due.repeat_secs, due.cron, due.timezone)
            slots, next_at = recurrence.due(due.due_at, due.now, due.missed)
            for slot_at, job_id in self.rows(protocol_tick.TICK, due.name, due.due_at, slots, next_at):
                answer.append((due.name, slot_at, job_id, None))
        (secs,) = self.rows(protocol_tick.NEXT, list(definition_ids), [])
        return [*answer, (None, None, None, *secs)]

    def purge(self, older_than_secs: float = 0.0, limit: int = 1000) -> list[int]:
        return [row[0] for row in self.rows("select {schema}.purge(%s, %s)", older_than_secs, limit)]

    def problems(self) -> list[tuple[Any, ...]]:
        return self.rows("select * from {schema}.check_invariants()")
