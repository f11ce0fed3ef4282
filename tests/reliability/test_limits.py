"""Limits are exact: four worker processes hammer, and their log, outside the database, is counted."""

from __future__ import annotations

import asyncio
import signal

from cuckmq import Context
from tests.reliability.rig import Log, Rig
from tests.support.eventually import eventually

#: How much later than its claim a job may start: the rate is kept by the moment of the claim.
PICKUP_SECS = 0.1


def most_at_once(log: Log, job_ids: set[int], killed: dict[int, float]) -> int:
    """The most of these jobs that ran at one moment; those of killed processes ran until they were killed."""
    ends = {(each.job_id, each.attempt): each.at for each in log.entries("end")}
    moments: list[tuple[float, int]] = []
    for start in log.entries("start"):
        if start.job_id in job_ids:
            end_at = ends.get((start.job_id, start.attempt), killed.get(start.pid))
            assert end_at is not None, "it neither ended nor was killed"
            moments += [(start.at, 1), (end_at, -1)]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


async def test_a_limit_of_concurrency_is_never_exceeded(rig: Rig, queue: Context) -> None:
    """E21: by four processes, while one is killed and the limit is changed; and it is used up."""
    sleep = queue.definitions["sleep"]
    options = {"heartbeat_secs": 0.2, "lease_secs": 1.0, "concurrency": 10}
    await sleep.enqueue(0.0, channel="narrow", delay_secs=3600)
    await queue.channels.limit("narrow", concurrency=5)
    workers = [await rig.start(**options) for _ in range(4)]
    handles = await sleep.enqueue_many([0.01] * 300, channel="narrow")
    await eventually(lambda: len(rig.log.entries("end")) > 100)
    workers[0].send(signal.SIGKILL)
    killed_at = asyncio.get_running_loop().time()
    for handle in handles:
        await handle.result(timeout_secs=30)
    first = {handle.id for handle in handles}
    assert most_at_once(rig.log, first, {workers[0].pid: killed_at}) == 5

    await queue.channels.limit("narrow", concurrency=2)
    handles = await sleep.enqueue_many([0.01] * 100, channel="narrow")
    for handle in handles:
        await handle.result(timeout_secs=30)
    assert most_at_once(rig.log, {handle.id for handle in handles}, {}) == 2


async def test_a_group_of_three_is_never_served_by_four(rig: Rig, queue: Context) -> None:
    """E21: with 40 lanes in four processes."""
    await queue.groups.limit("crowd", concurrency=3)
    for _ in range(4):
        await rig.start(concurrency=10)
    handles = await queue.definitions["sleep"].enqueue_many([0.005] * 300, job_group="crowd")
    for handle in handles:
        await handle.result(timeout_secs=30)
    assert most_at_once(rig.log, {handle.id for handle in handles}, {}) == 3


async def test_a_rate_is_never_passed(rig: Rig, queue: Context) -> None:
    """E19, E20: no span of half a second has more than forty starts; and nearly as many as it may."""
    for _ in range(4):
        await rig.start(concurrency=30)
    handles = await queue.definitions["limited"].enqueue_many([0.0] * 200)
    for handle in handles:
        await handle.result(timeout_secs=30)
    starts = sorted(entry.at for entry in rig.log.entries("start"))
    assert len(starts) == 200
    span_secs = 0.5 - PICKUP_SECS
    assert max(sum(at <= each < at + span_secs for each in starts) for at in starts) <= 40
    assert starts[-1] - starts[0] < 2 * 4 * 0.5, "five spans of forty take two seconds and a little"
