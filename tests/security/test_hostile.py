"""What strangers to the queue can do in the same database, and what words that look like code can do."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cuckmq import Context, Worker
from cuckmq._runtime.session import Session as WorkerSession
from cuckmq.errors import CuckmqError, InvalidName, InvalidPayload
from tests.migrations.catalog import describe
from tests.support.eventually import eventually

PACKAGE = Path(__file__).parents[2] / "cuckmq"
CANARY = "S3CR3T-7f1c"

NASTY = [
    'x"; drop schema public cascade; --',
    "'; select pg_sleep(9); --",
    "a%sb",
    "%(x)s",
    "a{b}{schema}",
    "'",
    "\\",
    "\\x00",
    "$1",
    "$cuckmq$",
    "é" * 64,
    "🦆",
    "pg_catalog",
    "../../etc/passwd",
    "<img src=x onerror=alert(1)>",
    "null",
]


@pytest.mark.fault("I1", "I2")
async def test_nasty_words_are_names_or_nothing(context: Context, dsn: str) -> None:
    """As channel, group, key, job, worker and payload they come back as they were; the catalog stays."""
    before = describe(dsn, context.schema)
    for word in NASTY:

        @context.job(name=word)
        async def echo(payload: str) -> str:
            return payload

        await echo.deploy()
        handle = await echo.enqueue(word, channel=word, job_group=word, unique_key=word)
        async with Worker(context, channels=[word], name=word):
            assert await handle.result(timeout_secs=20) == word
        (job,) = await context.jobs.list(name=word, channel=word, job_group=word)
        assert (job.name, job.channel, job.job_group, job.payload) == (word, word, word, word)
        assert await context.jobs.find_running(word, word) == []
        assert await context.stats.read(channel=word, definition=word) is not None
    assert describe(dsn, context.schema) == before


@pytest.mark.fault("I1")
@pytest.mark.parametrize("word", ["a\nb", "a\0b", "", "x" * 201, "\ud800"])
async def test_words_that_are_no_names_are_refused(context: Context, word: str) -> None:
    """At once, before anything reaches the database."""

    @context.job(name="ECHO")
    async def echo(payload: str) -> None: ...

    with pytest.raises(InvalidName):
        await echo.enqueue("x", channel=word)
    with pytest.raises(InvalidName):
        context.job(name=word)(lambda: None)


@pytest.mark.fault("I7")
async def test_a_flood_of_false_words(
    guarded: str, dsn: str, login: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Junk from one without rights is thrown away; what looks right costs a bounded number of looks."""
    looks = 0
    run = WorkerSession.run

    async def counted(self: WorkerSession, statement: object) -> list[object]:
        nonlocal looks
        looks += 1
        return await run(self, statement)  # type: ignore[arg-type]

    monkeypatch.setattr(WorkerSession, "run", counted)
    junk = [
        "",
        "{",
        '{"a": ',
        "ready",
        "ready x",
        "ready -1",
        "ready ٣",
        "ready " + "9" * 40,
        "x" * 7999,
        "\\",
    ]
    async with Context(dsn, schema=guarded) as context:

        @context.job(name="PING")
        async def ping() -> str:
            return "pong"

        await ping.deploy()
        async with Worker(context):
            await (await ping.enqueue()).result(timeout_secs=20)
            async with await psycopg.AsyncConnection.connect(login("stranger"), autocommit=True) as stranger:
                before = looks
                for number in range(3000):
                    word = junk[number % len(junk)] if number % 2 else f"ready {number % 5}"
                    await stranger.execute("select pg_notify(%s, %s)", (f"cuckmq.{guarded}", word))
            during = looks - before
            assert await (await ping.enqueue()).result(timeout_secs=20) == "pong"
        # One for each word that looks right, none for the 1,500 of junk among them.
        assert during < 1600, f"{during} looks"


@pytest.mark.fault("I9")
async def test_no_payload_in_what_is_told(
    context: Context, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A payload appears in no event, log line, error, notification, name or repr, whatever fails."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []

    context.events.add(lambda event: told.append(repr(event)))

    @context.job(name="COUNT")
    async def count(payload: int) -> None: ...

    @context.job(name="FAIL")
    async def fail(payload: str) -> None:
        raise RuntimeError("without it")

    await context.deploy()
    with pytest.raises(InvalidPayload) as refused:
        await count.enqueue(CANARY)  # type: ignore[arg-type]
    told += [str(refused.value), repr(refused.value)]
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as eye:
        await eye.execute(sql.SQL("listen {}").format(sql.Identifier(f"cuckmq.{context.schema}")))
        put = f"select {context.schema}.enqueue('COUNT', %s)".encode()
        ((unfit,),) = await (await eye.execute(put, (f'"{CANARY}"',))).fetchall()
        handle = await fail.enqueue(CANARY)
        told += [repr(handle), repr(context), repr(fail)]
        async with Worker(context) as worker:
            for job_id in (unfit, handle.id):
                await eventually(lambda job_id=job_id: _has_failed(context, job_id), timeout_secs=20)
            told.append(repr(worker))
            seen = await (await eye.execute("select application_name from pg_stat_activity")).fetchall()
            told += [str(row) for row in seen]
        told += [note.payload async for note in eye.notifies(timeout=0.5)]
    for job_id in (unfit, handle.id):
        told += [repr(each) for each in (await context.jobs.get(job_id)).errors]
    assert len(told) > 10
    assert [each for each in told if CANARY in each] == []
    assert CANARY not in caplog.text


async def _has_failed(context: Context, job_id: int) -> bool:
    return (await context.jobs.get(job_id)).state == "failed"


@pytest.mark.fault("I9")
async def test_no_password_in_what_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A DSN that leads nowhere is complained about without its password."""
    caplog.set_level(logging.DEBUG)
    dsn = make_conninfo(host="127.0.0.1", port=1, user="u", password=CANARY, connect_timeout=1)
    async with Context(dsn) as context:
        with pytest.raises((CuckmqError, psycopg.Error)) as refused:
            await context.migrate()
        assert CANARY not in f"{refused.value!r} {refused.value} {context!r} {context.database!r}"
    assert CANARY not in caplog.text


@pytest.mark.fault("I10")
def test_nothing_turns_words_into_code() -> None:
    """No module reads pickles, evaluates text or imports by a name, but for names that the program gave."""
    forbidden = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "code"}
    importing: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not forbidden & {each.name.partition(".")[0] for each in node.names}, name
            if isinstance(node, ast.ImportFrom):
                assert node.level or (node.module or "").partition(".")[0] not in forbidden, name
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, name
            if isinstance(node, (ast.Name, ast.Attribute)):
                called = node.id if isinstance(node, ast.Name) else node.attr
                if called == "import_module":
                    importing.add(name)
    # The package's own parts; what the command line was told; what a work function's decorator was put on.
    assert importing == {"__init__.py", "cli/__init__.py", "cli/load.py", "target.py"}


@pytest.mark.fault("I8")
async def test_locks_that_a_stranger_holds(guarded: str, dsn: str, login: Callable[[str], str]) -> None:
    """Who takes the lock of a group keeps that group waiting, and none but that; let go, it goes on."""
    async with Context(dsn, schema=guarded) as context:

        @context.job(name="PING")
        async def ping() -> str:
            return "pong"

        await ping.deploy()
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as eye:
            ((group,),) = await (await eye.execute(f"select {guarded}.group_hash('g')".encode())).fetchall()
        async with Worker(context):
            async with await psycopg.AsyncConnection.connect(login("stranger")) as stranger:
                await stranger.execute("select pg_advisory_xact_lock(%s)", (group,))
                held = await ping.enqueue(job_group="g")
                assert await (await ping.enqueue(job_group="other")).result(timeout_secs=20) == "pong"
                assert await (await ping.enqueue()).result(timeout_secs=20) == "pong"
                assert (await held.get()).state == "queued"
            assert await held.result(timeout_secs=20) == "pong"
