"""A migrated queue for tests of its SQL: sessions, and the things that time would do."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from cuckmq.schema import generate_migration_sql
from tests.support.eventually import eventually_sync
from tests.support.session import Session


class Queue:
    """The queue in one schema, with a session of its own to look around from.

    Args:
        dsn: the database.
        schema: the queue's; made by migrate().
    """

    def __init__(self, dsn: str, schema: str) -> None:
        self.dsn = dsn
        self.schema = schema
        self._sessions: list[Session] = []
        self.eye = self.session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions:
            session.close()

    def migrate(self) -> None:
        """Make the schema."""
        for fragment in generate_migration_sql(self.schema):
            self.eye.connection.execute(fragment.encode())

    def session(self) -> Session:
        """Open another session, closed at the end of the test."""
        session = Session(self.dsn, self.schema)
        self._sessions.append(session)
        session.rows("set deadlock_timeout = '100ms'")
        return session

    def count(self, table: str) -> int:
        """Count the rows of a table of the queue."""
        number: int = self.eye.value(f"select count(*) from {{schema}}.{table}")
        return number

    def counts(self) -> dict[str, int]:
        """Count live jobs and their entries, table by table; tables without any are left out."""
        live = self.count("job") - self.count("finalized")
        tables = ("scheduled", "blocked", "ready", "waiting", "running", "group_lease")
        counts = {"job": live} | {table: self.count(table) for table in tables}
        return {table: number for table, number in counts.items() if number}

    def state(self, job_id: int) -> str | None:
        """The job's state as all_job tells it."""
        rows = self.eye.rows("select state from {schema}.all_job where id = %s", job_id)
        return rows[0][0] if rows else None

    def job(self, job_id: int, column: str) -> Any:
        """One column of the job's row in all_job."""
        return self.eye.value(f"select {column} from {{schema}}.all_job where id = %s", job_id)

    def group_hash(self, job_group: str) -> int:
        number: int = self.eye.value("select {schema}.group_hash(%s)", job_group)
        return number

    def silence(self, worker_id: int) -> None:
        """Let a worker's lease run out, as if it had not beaten for an hour."""
        self.eye.rows(
            "update {schema}.worker set lease_secs = 0.000001, heartbeat_at = now() - interval '1 hour'"
            " where id = %s",
            worker_id,
        )

    def make_due(self, secs: float = 1.0) -> None:
        """Let time pass: all that is scheduled came due so long ago, in its order."""
        self.eye.rows(
            """
            with moved as (
                update {schema}.scheduled s
                set run_at = clock_timestamp() - make_interval(secs => %s)
                    + o.place * interval '1 microsecond'
                from (select ctid as at, row_number() over (order by run_at, job_id) as place
                      from {schema}.scheduled) o
                where s.ctid = o.at returning s.job_id, s.run_at
            )
            update {schema}.job j set run_at = m.run_at from moved m where j.id = m.job_id
            """,
            secs,
        )

    def wait_until_blocked(self, waiter: Session, *, by: Session) -> None:
        """Wait until PostgreSQL itself says that one session waits for a lock of the other."""
        eventually_sync(
            lambda: by.pid in self._blockers(waiter), why=f"session {waiter.pid} waits for {by.pid}"
        )

    def _blockers(self, waiter: Session) -> list[int]:
        rows = self.eye.rows(
            "select pg_blocking_pids(pid) from pg_stat_activity where pid = %s and wait_event_type = 'Lock'",
            waiter.pid,
        )
        return rows[0][0] if rows else []
