"""F6: a payload that is too large is refused where it is put in, and nothing is in."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psycopg
import pytest

from cuckmq import Context, JobDefinition
from cuckmq.errors import ConfigurationError, InvalidPayload, PayloadTooLarge
from cuckmq.payload_limit import DEFAULT_MAX_PAYLOAD_BYTES

LIMIT_BYTES = 1000
FITS = "x" * (LIMIT_BYTES - 2)  # two more for its quotes
CANARY = "hunter2"
TOO_LARGE = CANARY + "x" * LIMIT_BYTES


async def saying(context: Context, **options: Any) -> JobDefinition[str, int]:
    @context.job(name="SAY", **options)
    async def say(text: str) -> int:
        return len(text)

    await say.deploy()
    return say


async def num_jobs(context: Context) -> int:
    return sum((await context.jobs.count()).values())


def rest() -> None: ...


def assert_told(error: PayloadTooLarge, size_bytes: int) -> None:
    assert (error.name, error.size_bytes, error.limit_bytes) == ("SAY", size_bytes, LIMIT_BYTES)
    for word in ("'SAY'", f"{size_bytes:,} bytes", f"{LIMIT_BYTES:,}", "max_payload_bytes"):
        assert word in str(error)
    assert CANARY not in repr(error)


@pytest.mark.fault("F6")
async def test_what_is_too_large_is_refused_by_every_door(
    context: Context, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F6, A3: async and sync, one and many, in a transaction of the caller's: refused, and nothing is in."""
    caplog.set_level(logging.DEBUG)
    say = await saying(context, max_payload_bytes=LIMIT_BYTES)
    many = [*[FITS] * 99, TOO_LARGE]
    with pytest.raises(PayloadTooLarge) as one:
        await say.enqueue(TOO_LARGE)
    with pytest.raises(PayloadTooLarge):
        await say.enqueue_many(many)
    with pytest.raises(PayloadTooLarge):
        await asyncio.to_thread(say.enqueue_sync, TOO_LARGE)
    with pytest.raises(PayloadTooLarge):
        await asyncio.to_thread(say.enqueue_many_sync, many)
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        with pytest.raises(PayloadTooLarge):
            await say.enqueue(TOO_LARGE, connection=connection)
        # The caller's transaction is none the worse for it.
        await say.enqueue(FITS, connection=connection)
    assert_told(one.value, len(TOO_LARGE) + 2)
    assert CANARY not in caplog.text
    assert await num_jobs(context) == 1


async def test_bytes_are_counted_not_characters(context: Context) -> None:
    """F6: what fits to the byte is put in; one byte more is not, and letters may have several."""
    say = await saying(context, max_payload_bytes=LIMIT_BYTES)
    for payload in (FITS, "ü" * (len(FITS) // 2), "\N{SNOWMAN}" * (len(FITS) // 3)):
        await say.enqueue(payload)
        with pytest.raises(PayloadTooLarge):
            await say.enqueue(payload + "üü")
    assert await num_jobs(context) == 3


async def test_the_payload_of_a_schedule_is_refused(context: Context) -> None:
    """F6: a schedule keeps its payload, so it is weighed when the schedule is made."""
    say = await saying(context, max_payload_bytes=LIMIT_BYTES)
    with pytest.raises(PayloadTooLarge) as refused:
        await context.schedules.add("daily", say, TOO_LARGE, cron="0 8 * * *")
    assert_told(refused.value, len(TOO_LARGE) + 2)
    assert await context.schedules.list() == []


async def test_the_context_says_it_where_the_definition_does_not(context: Context) -> None:
    """F6: sixteen MiB unless somebody says otherwise."""
    assert context.max_payload_bytes == DEFAULT_MAX_PAYLOAD_BYTES == 16 * 1024 * 1024
    small = Context(context.database.dsn, schema=context.schema, max_payload_bytes=LIMIT_BYTES)
    async with small:
        say = await saying(small)
        with pytest.raises(InvalidPayload, match="1,009 bytes of JSON, and 1,000 are allowed"):
            await say.enqueue(TOO_LARGE)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "1 MiB", True, 2_000_000_000])
def test_a_limit_that_is_none_is_refused(wrong: Any) -> None:
    """A3: at once, by context and definition."""
    with pytest.raises(ConfigurationError, match="max_payload_bytes is"):
        Context("dbname=nowhere", max_payload_bytes=wrong)
    with pytest.raises(ConfigurationError, match="max_payload_bytes is"):
        Context("dbname=nowhere").job(name="SAY", max_payload_bytes=wrong)(rest)
