"""The fixtures that all other tests stand on."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.support.database import Database, PrivateCluster
from tests.support.eventually import eventually, eventually_sync


def test_each_process_of_the_run_has_its_own_database(server: Database, dsn: str, worker_id: str):
    owner = "main" if worker_id == "master" else worker_id
    with psycopg.connect(dsn) as connection:
        assert re.fullmatch(rf"cuckmq_test_{owner}_[0-9a-f]{{8}}", connection.info.dbname)


def test_a_schema_is_a_fresh_name(schema: str, dsn: str):
    assert re.fullmatch(r"test_[0-9a-f]{8}", schema)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select to_regnamespace(%s)", [schema]).fetchone() == (None,)
        connection.execute(f"create schema {schema}; create table {schema}.anything ()")


def test_a_private_cluster_keeps_its_dsn_and_its_data_through_every_end(private_cluster: PrivateCluster):
    def count() -> int:
        with psycopg.connect(private_cluster.dsn) as connection:
            row = connection.execute("select count(*) from life").fetchone()
            connection.execute("insert into life default values")
        assert row is not None
        return row[0]

    with psycopg.connect(private_cluster.dsn) as connection:
        connection.execute("create table life ()")
    assert count() == 0
    private_cluster.restart()
    assert count() == 1
    private_cluster.restart(at_once=True)
    assert count() == 2
    private_cluster.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(private_cluster.dsn)
    private_cluster.start()
    assert count() == 3


async def test_eventually_waits_for_sync_and_async_facts():
    turns = iter([None, False, "here"])
    assert await eventually(lambda: next(turns)) == "here"

    more = iter([0, 0, 7])

    async def seven():
        found = next(more)
        assert found == 7
        return found

    assert await eventually(seven) == 7


def test_eventually_tells_what_it_saw_last():
    with pytest.raises(AssertionError, match=r"not within 0\.02 s: the moon is full; seen last: 0"):
        eventually_sync(lambda: 0, timeout_secs=0.02, why="the moon is full")


def test_eventually_raises_from_the_assertion_it_saw_last():
    def fact():
        raise AssertionError("the moon is half")

    with pytest.raises(AssertionError) as caught:
        eventually_sync(fact, timeout_secs=0.02)
    assert str(caught.value.__cause__) == "the moon is half"
