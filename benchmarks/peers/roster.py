"""Who is measured."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from benchmarks.peers.systems import System

COMMIT: Final = "a commit, flushed to disk"

OURS: Final = System(
    name="cuckmq",
    remaining='select count(*) from "_bench".job',
    version=version("cuckmq"),
    promise=COMMIT,
    best="concurrency=50",
    default="as it comes: concurrency=10",
    num_best=60_000,
    num_default=60_000,
)

PEERS: Final = (
    System(
        name="graphile-worker",
        remaining="select count(*) from graphile_worker._private_jobs",
        version="0.18.0",
        promise=COMMIT,
        best="concurrentJobs 24, localQueue 500 with refetchDelay 10 ms, completeJobBatchDelay 0",
        default="concurrentJobs 1, no local queue",
        num_best=60_000,
        num_default=2_000,
    ),
    System(
        name="pg-boss",
        remaining="select count(*) from pgboss.job where state < 'completed'",
        version="12.35.0",
        promise=COMMIT,
        best="batchSize 500, burstWhenBatchFull, notify, localConcurrency 2",
        default="batchSize 1, polls every 2 s",
        num_best=40_000,
        num_default=3,
    ),
    System(
        name="pgqueuer",
        remaining="select count(*) from pgqueuer",
        version="1.6.0",
        promise=COMMIT,
        best="asyncpg pool, batch_size 500",
        default="asyncpg, batch_size 10",
        num_best=40_000,
        num_default=4_000,
    ),
    System(
        name="procrastinate",
        remaining="select count(*) from procrastinate_jobs where status in ('todo', 'doing')",
        version="3.10.0",
        promise=COMMIT,
        best="concurrency 50, delete_jobs always",
        default="concurrency 1",
        num_best=2_000,
        num_default=800,
        num_many=20_000,
    ),
    System(
        name="bullmq",
        remaining=None,
        version="6.7.0",
        promise="in Redis' memory; on disk within a second",
        best="concurrency 100, removeOnComplete",
        default="concurrency 1",
        num_best=30_000,
        num_default=4_000,
        num_many=20_000,
    ),
)
