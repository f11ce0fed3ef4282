"""A worker as a process of its own, which writes down what it runs in a file outside the database.

    python program.py DSN SCHEMA LOG [JSON options for Worker]

With the option `repeat_secs` it knows the job `tick` too, which repeats so often; with `daemon` being
"orchestrator" it is one, and the other options are for that.

Each line of the log is written at once: word, job, attempt, group, process, monotonic time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from cuckmq import Attempt, Context, JobDefinition, Limits, Orchestrator, Worker
from cuckmq.events import AttemptLost, Event


def main() -> None:
    dsn, schema, log_path, options = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(word: str, attempt: Attempt | AttemptLost, group: str | None = None) -> None:
        number = attempt.number if isinstance(attempt, Attempt) else attempt.attempt
        line = f"{word} {attempt.job_id} {number} {group or '-'} {os.getpid()} {time.monotonic():.6f}\n"
        os.write(log, line.encode())

    context = Context(dsn, schema=schema, listen_dsn=options.pop("listen_dsn", None))
    define(context, note)
    if "repeat_secs" in options:
        define_tick(context, note, options.pop("repeat_secs"))
    is_orchestrator = options.pop("daemon", "worker") == "orchestrator"

    def on_event(event: Event) -> None:
        if isinstance(event, AttemptLost):
            note("lost", event)

    context.add_event_handler(on_event)

    async def run() -> None:
        daemon = Orchestrator(context, **options) if is_orchestrator else Worker(context, **options)
        async with daemon:
            print(f"ready {daemon.worker_id if isinstance(daemon, Worker) else 0}", flush=True)
            await asyncio.Event().wait()
        await context.close()

    asyncio.run(run())


def define(context: Context, note) -> None:
    """Define the jobs that the tests enqueue."""

    @context.job(name="sleep")
    async def sleep(payload: float, attempt: Attempt) -> int:
        note("start", attempt, attempt.job_group)
        try:
            await asyncio.sleep(payload)
        finally:
            note("end", attempt, attempt.job_group)
        return attempt.number

    @context.job(name="hang")
    async def hang(payload: float, attempt: Attempt) -> int:
        note("start", attempt, attempt.job_group)
        try:
            await asyncio.sleep(60 if attempt.number == 1 else payload)
        except asyncio.CancelledError:
            note("cancelled", attempt, attempt.job_group)
            raise
        note("end", attempt, attempt.job_group)
        return attempt.number

    @context.job(name="persistent", persistent=True)
    async def persistent(payload: None, attempt: Attempt) -> None:
        note("start", attempt)
        try:
            await asyncio.Event().wait()
        finally:
            note("end", attempt)

    @context.job(name="block")
    def block(payload: float, attempt: Attempt) -> int:
        note("start", attempt, attempt.job_group)
        time.sleep(payload)
        note("end", attempt, attempt.job_group)
        return attempt.number

    @context.job(name="heed")
    def heed(payload: float, attempt: Attempt) -> None:
        note("start", attempt, attempt.job_group)
        while not attempt.is_cancelled:
            time.sleep(payload)
        note("end", attempt, attempt.job_group)

    @context.job(name="block-loop")
    async def block_loop(payload: float, attempt: Attempt) -> int:
        note("start", attempt, attempt.job_group)
        time.sleep(payload)  # noqa: ASYNC251 - blocking the loop is what it is for
        note("end", attempt, attempt.job_group)
        return attempt.number

    @context.job(name="poison")
    async def poison(payload: None, attempt: Attempt) -> None:
        note("start", attempt, attempt.job_group)
        os.kill(os.getpid(), 9)

    @context.job(name="plan", num_attempts=None, backoff=0.05)
    async def plan(payload: list[str], attempt: Attempt) -> None:
        note("start", attempt, attempt.job_group)
        await asyncio.sleep(0.3)
        if payload[attempt.number - 1] == "exit":
            os._exit(7)
        raise ValueError(attempt.number)

    @context.job(name="limited", limits=Limits(rate=40, rate_secs=0.5))
    async def limited(payload: float, attempt: Attempt) -> None:
        note("start", attempt, attempt.job_group)
        await asyncio.sleep(payload)
        note("end", attempt, attempt.job_group)

    @context.job(name="effect", num_attempts=None, backoff=0.1)
    async def effect(payload: int, attempt: Attempt) -> None:
        note("start", attempt)
        async with attempt.transaction() as connection:
            await connection.execute("insert into public.effect values (%s, %s)", (attempt.job_id, payload))
        note("end", attempt)

    @context.job(name="plain")
    async def plain(payload: int, attempt: Attempt) -> None:
        note("start", attempt, attempt.job_group)
        await asyncio.sleep(0)
        note("end", attempt, attempt.job_group)

    @context.job(name="heavy")
    async def heavy(payload: str, attempt: Attempt) -> int:
        note("start", attempt)
        note("end", attempt)
        return len(payload)


def define_tick(context: Context, note, repeat_secs: float, missed: str = "all") -> JobDefinition:
    """Define a job that repeats, so that each of its slots is to have one job."""

    @context.job(name="tick", repeat_secs=repeat_secs, missed=missed)
    async def tick(payload: None, attempt: Attempt) -> None:
        note("start", attempt)

    return tick


if __name__ == "__main__":
    main()
