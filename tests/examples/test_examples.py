"""Every program in examples/ does what its first lines say, run as a user would run it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from cuckmq import Context, JobState
from tests.support.eventually import eventually

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_SECS = 60


async def start(path: Path, dsn: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(path), *arguments,
        env={**os.environ, "CUCKMQ_DATABASE_URL": dsn},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def finish(process: asyncio.subprocess.Process) -> list[str]:
    """Wait for the end, which must be a good one; return the lines of its output."""
    async with asyncio.timeout(TIMEOUT_SECS):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


@pytest.fixture
def program(schema: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The example that the test is named for, in a schema of the test's own."""
    name = f"{request.function.__name__.removeprefix('test_')}.py"
    text = (EXAMPLES / name).read_text("utf-8")
    path = tmp_path / name
    text = re.sub(r"\b_job(?=\b|_)", schema, text).replace(
        "Context(listen_dsn", f"Context(schema={schema!r}, listen_dsn"
    )
    path.write_text(text, "utf-8")
    return path


async def test_ping(program: Path, dsn: str) -> None:
    """N1, E33: a thousand pings by two workers, each printed once; SIGINT ends it."""
    process = await start(program, dsn)
    assert process.stdout is not None
    seen: list[str] = []
    async with asyncio.timeout(TIMEOUT_SECS):
        while len(seen) < 1001:
            seen.append((await process.stdout.readline()).decode().rstrip("\n"))
            assert seen[-1], "it ended too early"
    process.send_signal(signal.SIGINT)
    assert await finish(process) == ["stopped"]

    seen.remove("Ctrl-C ends this")
    assert {line.partition(" - ")[2] for line in seen} == {f"Hello: {i}" for i in range(1000)}


async def test_migrate(program: Path, dsn: str, schema: str) -> None:
    """N1, A3: the migration script, twice."""
    for _ in range(2):
        assert await finish(await start(program, dsn, schema)) == [f"schema {schema} is up to date"]


async def test_channels(program: Path, dsn: str) -> None:
    """N1, E3: the reserved worker serves the urgent job while the others are kept busy."""
    seen = await finish(await start(program, dsn))
    assert seen.index("alert sent: disk full") < seen.index("reports done")
    assert {"report 1 begins", "report 2 begins"} <= set(seen)


async def test_job_group(program: Path, dsn: str) -> None:
    """N1, E8, E9: never two of one account at once, and each account in order."""
    *bookings, last = await finish(await start(program, dsn))
    assert last == "all booked"
    for account in ("anna", "bob"):
        own = [line for line in bookings if line.startswith(account)]
        assert own == [f"{account} {amount}: 1 at work" for amount in range(5)]
    assert "carl 9: 1 at work" in bookings


async def test_retry(program: Path, dsn: str) -> None:
    """N1, F1, F2: two errors and a success; and a failure declared at the first try."""
    assert await finish(await start(program, dsn)) == [
        "try 1 of https://example.org",
        "try 2 of https://example.org",
        "try 3 of https://example.org",
        "fetched",
        "errors on the way: ['connection refused', 'connection refused']",
        "try 1 of ftp://example.org",
        "declared: job 2 failed (declared): Fail: no such protocol",
    ]


async def test_delay(program: Path, dsn: str) -> None:
    """N1, C4, C5: not before its moment."""
    assert await finish(await start(program, dsn)) == [
        "before: scheduled",
        "reminder: drink water",
        "after at least a second: True",
        "tomorrow's is still scheduled; cancelled: True",
    ]


async def test_repeat(program: Path, dsn: str) -> None:
    """N1, D1, D3: three runs, each moment once, by two orchestrators."""
    assert await finish(await start(program, dsn)) == [
        "swept 1", "swept 2", "swept 3", "no moment twice: True",
    ]  # fmt: skip


async def test_transaction(program: Path, dsn: str) -> None:
    """C7, M3: what was rolled back left neither job nor parcel; what was retried left one parcel."""
    assert await finish(await start(program, dsn)) == [
        "shipped",
        "orders and parcels: [('books', 'books')]",
    ]


async def test_events_to_logging(program: Path, dsn: str) -> None:
    """I1: every event of the process is told to the handler, in the order in which things happened."""
    seen = [line for line in await finish(await start(program, dsn)) if " jobs " in line]
    told = [line.split()[2] for line in seen if "job_id=2," in line or "definition_id" in line]
    assert told[0] == "DefinitionDeployed"
    assert [name for name in told if name.startswith("Attempt")] == [
        "AttemptStarted", "AttemptFailed", "AttemptStarted", "AttemptFailed",
    ]  # fmt: skip
    assert told[-2:] == ["JobFailed", "JobEnded"]


async def test_task_types(program: Path, dsn: str) -> None:
    """N2, B6: one worker, two kinds, and a third that it leaves alone and tells of."""
    assert await finish(await start(program, dsn)) == ["5", "3.5", "nobody here knows ROOT"]


async def test_sub_tasks(program: Path, dsn: str) -> None:
    """N2, E32: a parent and three children on one lane."""
    *counting, told, last = await finish(await start(program, dsn))
    assert sorted(counting) == [
        "counting 'that is the question'",
        "counting 'to be or not'",
        "counting 'to be'",
    ]
    assert (told, last) == ("the lines have [4, 2, 4] words", "all words: 10")


async def test_plugins(program: Path, dsn: str) -> None:
    """N2, K1, K2, K3: an audit trail in the transaction of each enqueue, a stopwatch around each attempt."""
    assert await finish(await start(program, dsn)) == [
        "GREET took less than a second: True",
        "hello ada",
        "refused: nobody is called that",
        "audited: [('GREET ada',)]",
    ]


async def test_publish_subscribe(program: Path, dsn: str) -> None:
    """N3, C11, H7, I12: three subscribers; what is published is done or cancelled; the channel is deleted."""
    subscribers = await start(program, dsn, "subscribe", "0.05")
    assert subscribers.stdout is not None
    async with asyncio.timeout(TIMEOUT_SECS):
        assert await subscribers.stdout.readline() == b"ready\n"
    published = await finish(await start(program, dsn, "publish", "12"))
    assert published[-1] == "deleted"
    seen: list[str] = []
    async with asyncio.timeout(TIMEOUT_SECS):
        while seen.count("deleted: tasks") < 3:
            seen.append((await subscribers.stdout.readline()).decode().rstrip("\n"))
    subscribers.send_signal(signal.SIGINT)
    seen += await finish(subscribers)
    num_begun = sum(line.startswith("work: ") for line in seen)
    num_ended = sum(line.startswith(("done: ", "cancelled: ")) for line in seen)
    assert num_begun >= 13
    assert num_begun == num_ended


async def test_shared_pool(program: Path, dsn: str, schema: str) -> None:
    """N2, A1, A2: a pool of four serves two contexts and the caller, and is the caller's to close."""
    try:
        assert await finish(await start(program, dsn)) == [
            "sent to anna",
            "bill 7 sent",
            "jobs of the first, by a query of mine: (1,)",
            "the pool is still open: True",
        ]
    finally:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(f'drop schema if exists "{schema}_billing" cascade'.encode())


async def test_five_workers(program: Path, dsn: str) -> None:
    """N4, C4, C10: ten jobs once each, one timer that rings and one that does not."""
    first, *seen = await finish(await start(program, dsn, "1"))
    assert first == "the second timer is deleted: True"
    assert sorted(seen) == sorted([*(f"job {number} done" for number in range(10)), "timer: tea is ready"])


async def test_web_api(program: Path, dsn: str) -> None:
    """N2, G3: put in, asked after and waited for over HTTP; ended by SIGINT."""
    process = await start(program, dsn, "0")
    assert process.stderr is not None
    async with asyncio.timeout(TIMEOUT_SECS):
        while not (found := re.search(rb"running on (http://\S+)", line := await process.stderr.readline())):
            assert line, "it ended too early"
    async with httpx.AsyncClient(base_url=found[1].decode()) as client:
        put = await client.post("/sums", json={"x": 2, "y": 3})
        assert put.status_code == 202
        done = await client.get(f"/sums/{put.json()['id']}/on-complete")
        assert (done.status_code, done.json()) == (200, {"result": 5})
        look = await client.get(f"/sums/{put.json()['id']}")
        assert look.json() == {"id": put.json()["id"], "state": "succeeded", "attempt": 1}
        assert (await client.get("/sums/999999")).status_code == 404
        assert (await client.post("/sums", json={"x": "two"})).status_code == 422
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(TIMEOUT_SECS):
        await process.communicate()
    assert process.returncode == 0


async def test_service(program: Path, dsn: str, schema: str) -> None:
    """E1, E33: set up by itself, worked off by the command line, and ended by SIGTERM."""
    assert await finish(await start(program, dsn)) == ["ready, with 3 jobs to run"]

    worker = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("cuckmq"), "worker", "service:context",
        cwd=program.parent, env={**os.environ, "CUCKMQ_DATABASE_URL": dsn},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with Context(dsn, schema=schema) as context:

        async def are_done() -> bool:
            return (await context.jobs.count())[JobState.SUCCEEDED] == 3

        try:
            await eventually(are_done, timeout_secs=30)
        finally:
            worker.send_signal(signal.SIGTERM)
            await finish(worker)


def test_every_example_has_its_test() -> None:
    """N1: no example without a test of its name."""
    for path in EXAMPLES.glob("*.py"):
        assert f"test_{path.stem}" in globals(), path.name


def test_examples_are_small() -> None:
    """A program that one reads in a minute, and whose head says what it shows."""
    for path in EXAMPLES.glob("*.py"):
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) < 75, path.name
        assert lines[0].startswith('"""'), path.name
        assert f"python examples/{path.name}" in lines[2], path.name
