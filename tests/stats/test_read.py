"""context.stats.read(): what workers have counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from cuckmq import Attempt, Cancel, Context, Fail, Orchestrator, Snooze, Worker
from cuckmq.errors import ChannelNotFound, ConfigurationError, DefinitionNotFound
from cuckmq.histogram import NUM_BUCKETS
from tests.support.eventually import eventually
from tests.support.queue import Queue


async def test_a_worker_counts_what_its_attempts_came_to(context: Context) -> None:
    """J2: by channel and definition, read in another context than the one that ran them."""

    @context.job(name="ACT", channel="mail", num_attempts=2, backoff=0)
    async def act(what: str, attempt: Attempt) -> Fail | Cancel | Snooze | None:
        if what == "error" and attempt.number == 1:
            raise ValueError
        if what == "snooze" and attempt.number == 1:
            return Snooze(0)
        return {"fail": Fail("no"), "cancel": Cancel("no")}.get(what)

    @context.job(name="OTHER")
    async def other() -> None: ...

    await context.deploy()
    handles = await act.enqueue_many(["pass", "pass", "error", "snooze", "fail", "cancel"])
    async with Worker(context):
        await (await other.enqueue()).result(timeout_secs=10)

        async def is_done() -> bool:
            return all([(await handle.get()).state.is_final for handle in handles])

        await eventually(is_done)
    async with Context(context.database.dsn, schema=context.schema) as reader:
        stats = await reader.stats.read(definition="ACT")
        assert {stat.channel for stat in stats} == {"mail"}
        names = ("succeeded", "failed", "cancelled", "errors", "snoozed", "lost")
        counts = {name: sum(getattr(stat, f"num_{name}") for stat in stats) for name in names}
        assert counts == {
            "succeeded": 4, "failed": 1, "cancelled": 1, "errors": 1, "snoozed": 1, "lost": 0,
        }  # fmt: skip
        assert sum(sum(stat.run.histogram) for stat in stats) == 8
        assert sum(sum(stat.wait.histogram) for stat in stats) == 8
        assert all(0 <= (stat.run.p50_secs or 0) <= (stat.run.p99_secs or 0) < 10 for stat in stats)
        assert sum(stat.num_succeeded for stat in await reader.stats.read(channel="_default")) == 1
        assert await reader.stats.read(until=datetime.now(UTC) - timedelta(minutes=10)) == []


async def test_a_worker_without_activity_writes_nothing(context: Context, dsn: str) -> None:
    """J2: not a row."""
    async with Worker(context):
        pass
    with Queue(dsn, context.schema) as queue:
        assert queue.count("stat") == 0


def tally(queue: Queue, definition_id: int, num: int) -> str:
    histogram = [num] + [0] * (NUM_BUCKETS - 1)
    lane_id = queue.eye.value("select lane_id from {schema}.job_definition where id = %s", definition_id)
    counts = dict.fromkeys(["num_failed", "num_cancelled", "num_errors", "num_snoozed", "num_lost"], 0)
    return json.dumps([
        {
            "lane_id": lane_id, "definition_id": definition_id, "num_succeeded": num, **counts,
            "run_secs": num * 0.5, "wait_secs": 0.0, "run_histogram": histogram, "wait_histogram": histogram,
        }
    ])  # fmt: skip


async def test_two_who_add_to_one_minute_lose_nothing(context: Context, dsn: str) -> None:
    """J2: the second waits for the first, and adds."""
    with Queue(dsn, context.schema) as queue:
        definition_id = queue.eye.deploy("PING")
        first, second = queue.session(), queue.session()
        record = "select {schema}.record_stats(%s::json)"
        first.begin()
        first.rows(record, tally(queue, definition_id, 2))
        added = second.start(second.rows, record, tally(queue, definition_id, 3))
        first.commit()
        added.result(10)
        stats = await context.stats.read()
        assert sum(stat.num_succeeded for stat in stats) == 5
        assert sum(stat.run.sum_secs for stat in stats) == 2.5
        assert sum(stat.run.histogram[0] for stat in stats) == 5


async def test_old_statistics_are_deleted(context: Context, dsn: str) -> None:
    """J2, L1: by an orchestrator, after stat_delete_secs."""
    with Queue(dsn, context.schema) as queue:
        definition_id = queue.eye.deploy("PING")
        queue.eye.rows("select {schema}.record_stats(%s::json)", tally(queue, definition_id, 1))
        queue.eye.rows("update {schema}.stat set minute_at = minute_at - interval '8 days'")
        queue.eye.rows("select {schema}.record_stats(%s::json)", tally(queue, definition_id, 2))
        async with Orchestrator(context):
            await eventually(lambda: queue.count("stat") == 1)
        assert [stat.num_succeeded for stat in await context.stats.read()] == [2]


async def test_unknown_names_are_lookup_errors_of_the_family(context: Context) -> None:
    """J2: a typing error is no empty chart."""
    with pytest.raises(ChannelNotFound, match="mial"):
        await context.stats.read(channel="mial")
    with pytest.raises(DefinitionNotFound, match="SNED"):
        await context.stats.read(definition="SNED")


async def test_a_moment_without_a_time_zone_is_refused(context: Context) -> None:
    """J2: since it means another one on every host."""
    with pytest.raises(ConfigurationError, match="since"):
        await context.stats.read(since=datetime(2026, 1, 1))  # noqa: DTZ001 - the point
