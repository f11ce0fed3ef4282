"""What errors say is told only as the program allows: in rows, events, results and the log."""

from __future__ import annotations

import logging
from collections.abc import Callable

import psycopg
import pytest

from cuckmq import Context, Fail, JobHandle, Puller, Worker
from cuckmq.errors import ConfigurationError, JobFailed
from cuckmq.redaction import WITHHELD
from tests.processes import work

CANARY = "4111111111111111"
KEPT = "is refused"


def mask(name: str, text: str) -> str:
    return text.replace(CANARY, f"<{name}>")


def leave(name: str, text: str) -> str:
    raise SystemExit(f"{name}: {text}")


def forget(name: str, text: str) -> str:
    return None  # type: ignore[return-value]


async def told_of(dsn: str, schema: str, redact: Callable[[str, str], str] | None) -> list[str]:
    """Everything that is told of jobs whose errors quote the canary, in as many ways as there are."""
    told: list[str] = []
    async with Context(dsn, schema=schema, redact=redact) as context:
        await context.migrate()
        context.add_event_handler(lambda event: told.append(repr(event)))

        @context.job(name="ASYNC", num_attempts=2, backoff=0)
        async def on_loop(card: str) -> None:
            raise ValueError(f"{card} {KEPT}") from KeyError(card)

        @context.job(name="LONG")
        def in_thread(card: str) -> None:
            # The canary stands where the text is cut in two, at 2,000 characters and at 8,000.
            raise ValueError("".join(f"{'x' * 6}{card}" for _ in range(1000)))

        @context.job(name="DECLARED")
        async def declared(card: str) -> None:
            raise Fail(f"{card} {KEPT}")

        @context.job(name="BACKOFF", num_attempts=2, backoff=lambda _: 1 / 0)
        async def waiting(card: str) -> None:
            raise ValueError(f"{card} {KEPT}")

        process = context.job(name="PROCESS", executor="process")(work.quote)
        await context.deploy()
        handles: list[JobHandle[None]] = [
            await each.enqueue(CANARY) for each in (on_loop, in_thread, declared, process)
        ]
        await waiting.enqueue(CANARY)
        async with Worker(context) as worker:
            for handle in handles:
                with pytest.raises(JobFailed) as failed:
                    await handle.result(timeout_secs=30)
                told.append(str(failed.value))
            await worker.wait_until_idle()
        pulled = await in_thread.enqueue(CANARY)
        async with Puller(context) as puller:
            job = await puller.claim()
            assert job is not None
            await job.fail(f"{CANARY} {KEPT}")
        told += [repr((await each.get()).errors) for each in (*handles, pulled)]
    with psycopg.connect(dsn) as connection:
        told += [str(row) for row in connection.execute(f"select errors from {schema}.all_job".encode())]
    return told


@pytest.mark.fault("I9")
async def test_redact_decides_what_is_told(dsn: str, schema: str, caplog: pytest.LogCaptureFixture) -> None:
    """I9: messages, tracebacks with their causes, long ones, verdicts, processes, pulled jobs."""
    caplog.set_level(logging.DEBUG)
    told = [*await told_of(dsn, schema, mask), caplog.text]
    for part in (CANARY, CANARY[:8], CANARY[-8:]):
        assert [each for each in told if part in each] == []
    for name in ("ASYNC", "LONG", "DECLARED", "PROCESS"):
        assert any(f"<{name}>" in each for each in told)
    assert any(KEPT in each for each in told)


@pytest.mark.fault("I9")
@pytest.mark.parametrize("redact", [leave, forget])
async def test_a_redact_that_fails_has_allowed_nothing(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture, redact: Callable[[str, str], str]
) -> None:
    """I9: the jobs end as they would; the worker goes on."""
    caplog.set_level(logging.DEBUG)
    told = [*await told_of(dsn, schema, redact), caplog.text]
    for part in (CANARY, CANARY[:8], KEPT):
        assert [each for each in told if part in each] == []
    assert any(WITHHELD in each for each in told)
    assert "redact" in caplog.text


async def test_without_it_all_is_told(dsn: str, schema: str) -> None:
    """And the places above are where it would be."""
    told = await told_of(dsn, schema, None)
    assert len([each for each in told if CANARY in each]) > 10


@pytest.mark.parametrize("redact", ["****", 1, object()])
def test_what_cannot_redact_is_refused(redact: Callable[[str, str], str]) -> None:
    with pytest.raises(ConfigurationError, match="redact is a plain function"):
        Context(redact=redact)


def test_an_async_function_is_refused() -> None:
    async def later(name: str, text: str) -> str:
        return text

    with pytest.raises(ConfigurationError, match="redact is a plain function"):
        Context(redact=later)  # type: ignore[arg-type]
