"""Tenants have schemas of their own, and the roles of one mean nothing in another's."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors as pg

from cuckmq.schema import generate_migration_sql
from tests.support.session import Session

ATTEMPTS = [
    "select {other}.enqueue('PING')",
    "select {other}.look('{{1}}')",
    "select {other}.endings('{{1}}')",
    "select {other}.cancel(1)",
    "select {other}.settle(1, null)",
    "select * from {other}.claim(1, null, null, 1)",
    "select * from {other}.all_job",
    "select payload from {other}.job",
    "delete from {other}.job",
    "select * from {other}.schema_version",
]
KEPT = "select count(*), max(payload::text), max(state) from {schema}.all_job"


@pytest.mark.fault("I6")
def test_a_tenant_does_nothing_in_the_queue_of_another(
    dsn: str, guarded: str, sessions: dict[str, Session]
) -> None:
    """It neither puts in nor reads, guesses no id, cancels nothing."""
    other = f"{guarded}_b"
    with psycopg.connect(dsn, autocommit=True) as connection:
        for fragment in generate_migration_sql(other):
            connection.execute(fragment.encode())
    try:
        with Session(dsn, other) as owner:
            owner.deploy("PING")
            owner.enqueue("PING", '"secret"')
            for session in sessions.values():
                for attempt in ATTEMPTS:
                    with pytest.raises(pg.InsufficientPrivilege, match=f"schema {other}"):
                        session.connection.execute(attempt.format(other=other).encode())
            assert owner.rows(KEPT) == [(1, '"secret"', "queued")]
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"drop schema {other} cascade".encode())
