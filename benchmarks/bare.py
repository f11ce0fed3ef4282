"""PostgreSQL with nothing around it: what any queue's enqueue and pickup are held against."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import psycopg

NUM_WARM = 50
TABLE = "bench_bare"
INSERT = f"insert into {TABLE} (payload) values (%s) returning id"


def insert_rate(dsn: str, num: int) -> float:
    """INSERT ... RETURNING, each committed, from asyncio as an application would; rows a second."""

    async def insert() -> float:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            for each in range(NUM_WARM + num):
                if each == NUM_WARM:
                    began_at = time.perf_counter()
                await (await connection.execute(INSERT.encode(), ('{"n": 1}',), prepare=True)).fetchone()
            return num / (time.perf_counter() - began_at)

    with psycopg.connect(dsn, autocommit=True) as connection:
        _make_table(connection)
        try:
            return asyncio.run(insert())
        finally:
            connection.execute(f"drop table {TABLE}".encode())


def notify_waits(dsn: str, num: int, per_sec: float) -> list[float]:
    """INSERT and NOTIFY in one commit, to a listener that waits; the seconds from before to hearing of it."""
    heard: dict[int, int] = {}
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.connect(dsn, autocommit=True) as ear:
        _make_table(connection)
        ear.execute("listen bench_bare")

        def listen() -> None:
            for notification in ear.notifies(timeout=num / per_sec + 10, stop_after=None):
                heard[int(notification.payload)] = time.monotonic_ns()
                if len(heard) >= num:
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        put: dict[int, int] = {}
        began_at = time.monotonic()
        for number in range(num):
            time.sleep(max(0.0, began_at + number / per_sec - time.monotonic()))
            put[number] = time.monotonic_ns()
            statement = (
                f"with new as ({INSERT}) select pg_notify('bench_bare', %s), id from new"  # one commit
            )
            connection.execute(statement.encode(), ('{"n": 1}', str(number)), prepare=True)
        listener.join()
        connection.execute(f"drop table {TABLE}".encode())
    return [(heard[number] - at_ns) / 1e9 for number, at_ns in put.items()]


def _make_table(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"drop table if exists {TABLE}".encode())
    connection.execute(
        f"create table {TABLE} (id bigint generated always as identity primary key, payload json)".encode()
    )
