"""Bad input to an enqueue: an error of ours, and nothing enqueued or lost."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel

from cuckmq import Context, JobDefinition, Worker
from cuckmq.errors import (
    ConfigurationError,
    CuckmqError,
    DefinitionNotDeployed,
    InvalidName,
    InvalidPayload,
    JobFailed,
    SchemaMissing,
    SchemaOutdated,
    SchemaTooNew,
)
from cuckmq.schema import SCHEMA_VERSION

SECRET = "hunter2"


class Ping(BaseModel):
    message: str


@pytest.fixture
async def ping(context: Context) -> JobDefinition[Ping, int]:
    @context.job(name="PING")
    async def ping(payload: Ping) -> int:
        return len(payload.message)

    await ping.deploy()
    return ping


async def num_jobs(context: Context) -> int:
    return sum((await context.jobs.count()).values())


BAD_OPTIONS: list[tuple[dict[str, Any], type[CuckmqError], str]] = [
    ({"dely_secs": 3}, ConfigurationError, "enqueue: unknown option dely_secs; there are .*delay_secs"),
    ({"repeat_secs": 3}, ConfigurationError, "unknown option repeat_secs"),
    ({"delay_secs": -0.5}, ConfigurationError, r"delay_secs is -0\.5: allowed are 0 to"),
    ({"delay_secs": float("nan")}, ConfigurationError, "delay_secs is nan: allowed are"),
    ({"delay_secs": timedelta.max}, ConfigurationError, "delay_secs is .*: allowed are"),
    ({"delay_secs": True}, ConfigurationError, "delay_secs is a number of seconds or a timedelta"),
    ({"delay_secs": "3"}, ConfigurationError, "delay_secs is a number of seconds or a timedelta"),
    ({"run_at": datetime(2030, 1, 1)}, ConfigurationError, "has no time zone"),  # noqa: DTZ001
    ({"run_at": datetime.max.replace(tzinfo=UTC)}, ConfigurationError, "out of range"),
    ({"run_at": datetime.min.replace(tzinfo=UTC)}, ConfigurationError, "out of range"),
    ({"run_at": "2030-01-01"}, ConfigurationError, "run_at is a datetime, not '2030-01-01'"),
    ({"run_at": datetime.now(UTC), "delay_secs": 0}, ConfigurationError, "delay_secs or run_at, not both"),
    ({"job_group": ""}, InvalidName, "job group '' has 0 characters"),
    ({"job_group": "x" * 501}, InvalidName, "has 501 characters"),
    ({"job_group": "a\0"}, InvalidName, "control character"),
    ({"job_group": "\udfff"}, InvalidName, "lone surrogate"),
    ({"job_group": 5}, InvalidName, "a job group is a string, not 5"),
    ({"channel": ""}, InvalidName, "channel '' has 0 characters"),
    ({"channel": "x" * 201}, InvalidName, "has 201 characters"),
    ({"channel": 5}, InvalidName, "a channel is a string, not 5"),
    ({"priority": 40_000}, ConfigurationError, "priority is 40000: allowed are -32768 to 32767"),
    ({"priority": False}, ConfigurationError, "priority is a whole number, not False"),
    ({"num_attempts": 0}, ConfigurationError, "num_attempts is 0: allowed are 1 to"),
    ({"num_stalls": -1}, ConfigurationError, "num_stalls is -1: allowed are 0 to"),
    ({"num_failures": 0}, ConfigurationError, "num_failures is 0: allowed are 1 to"),
    ({"num_stalls": 2**31}, ConfigurationError, "num_stalls is 2147483648: allowed are"),
]


@pytest.mark.parametrize(("options", "family", "complaint"), BAD_OPTIONS)
@pytest.mark.fault("E6")
async def test_bad_options(
    context: Context,
    ping: JobDefinition[Ping, int],
    options: dict[str, Any],
    family: type[CuckmqError],
    complaint: str,
) -> None:
    """C4, C5, C6: refused by each way of putting in."""
    payload = Ping(message="hi")
    with pytest.raises(family, match=complaint):
        await ping.enqueue(payload, **options)
    with pytest.raises(family, match=complaint):
        await ping.enqueue_many([payload, payload], **options)
    with pytest.raises(family, match=complaint):
        ping.enqueue_sync(payload, **options)
    assert await num_jobs(context) == 0


@pytest.mark.parametrize(
    "payload",
    [
        None,
        SECRET,
        {"message": 5, SECRET: SECRET},
        Ping(message=f"{SECRET}\0"),
        Ping(message=f"\\{SECRET}\\\0"),
        Ping.model_construct(message=f"{SECRET}\ud800"),
        Ping.model_construct(message=[SECRET]),
    ],
    ids=["none", "text", "dict", "nul", "nul-behind-backslash", "surrogate", "unvalidated"],
)
async def test_bad_payloads(
    context: Context, ping: JobDefinition[Ping, int], payload: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """B2: refused with the definition's name and without the payload's text; all or none of many."""
    with caplog.at_level(logging.DEBUG):
        for error in (
            await _error_of(ping.enqueue(payload)),
            await _error_of(ping.enqueue_many([Ping(message="fine"), payload])),
        ):
            assert "the payload of job 'PING'" in str(error)
            assert SECRET not in f"{error}{error!r}"
            assert error.__cause__ is None
        with pytest.raises(InvalidPayload):
            ping.enqueue_sync(payload)
    assert SECRET not in caplog.text
    assert await num_jobs(context) == 0


async def _error_of(enqueueing: Any) -> InvalidPayload:
    with pytest.raises(InvalidPayload) as caught:
        await enqueueing
    return caught.value


@pytest.mark.parametrize("payloads", ["hi", b"hi", 5, None, {"a": 1}, iter(["hi"]), {"hi"}])
async def test_many_takes_a_sequence_of_payloads(context: Context, payloads: Any) -> None:
    """C3: a string is no list of strings here."""

    @context.job(name="TEXT")
    async def text(payload: str) -> None: ...

    await text.deploy()
    with pytest.raises(ConfigurationError, match="enqueue_many takes a list of payloads, not a"):
        await text.enqueue_many(payloads)
    assert await num_jobs(context) == 0


async def test_a_group_told_by_a_function_is_checked_too(context: Context) -> None:
    @context.job(name="PING", job_group=lambda payload: payload.message)
    async def ping(payload: Ping) -> None: ...

    await ping.deploy()
    with pytest.raises(InvalidName, match="job group '' has 0 characters"):
        await ping.enqueue_many([Ping(message="fine"), Ping(message="")])
    assert await num_jobs(context) == 0


async def test_a_definition_that_was_never_deployed(context: Context) -> None:
    """B4: said with the way out, by each way of putting in."""

    @context.job(name="PING")
    async def ping(payload: Ping) -> None: ...

    payload, complaint = Ping(message="hi"), r'"PING" is not deployed.*await definition\.deploy\(\)'
    with pytest.raises(DefinitionNotDeployed, match=complaint):
        await ping.enqueue(payload)
    with pytest.raises(DefinitionNotDeployed, match=complaint):
        await ping.enqueue_many([payload])
    with pytest.raises(DefinitionNotDeployed, match=complaint):
        ping.enqueue_sync(payload)
    await ping.deploy()
    await ping.enqueue(payload)


async def test_a_definition_taken_out_of_service(context: Context, ping: JobDefinition[Ping, int]) -> None:
    """B4: undeploy ends enqueues, and deploy brings them back; jobs that are there are run."""
    handle = await ping.enqueue(Ping(message="early"))
    assert await ping.undeploy() is True
    assert await ping.undeploy() is False
    with pytest.raises(DefinitionNotDeployed):
        await ping.enqueue(Ping(message="late"))
    async with Worker(context):
        assert await handle.result(timeout_secs=10) == 5
    await ping.deploy()
    await ping.enqueue(Ping(message="again"))


async def test_a_schema_that_was_never_made(dsn: str, schema: str) -> None:
    async with Context(dsn, schema=schema) as context:

        @context.job(name="PING")
        async def ping(payload: Ping) -> None: ...

        complaint = (
            rf'no queue in schema "{schema}".*run `cuckmq migrate --schema {schema}`.*context\.migrate\(\)'
        )
        with pytest.raises(SchemaMissing, match=complaint):
            await ping.deploy()
        with pytest.raises(SchemaMissing, match=complaint):
            await ping.enqueue(Ping(message="hi"))
        with pytest.raises(SchemaMissing, match=complaint):
            ping.enqueue_sync(Ping(message="hi"))
        with pytest.raises(SchemaMissing, match=complaint):
            await Worker(context).start()


@pytest.mark.fault("H8")
@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        (
            'update "{schema}".schema_version set functions_fingerprint = null',
            SchemaOutdated,
            "not as this cuckmq needs it: run `cuckmq migrate --schema {schema}`",
        ),
        (
            'insert into "{schema}".schema_version values (999, 999)',
            SchemaTooNew,
            f"serves libraries that know version 999, and this cuckmq knows version {SCHEMA_VERSION}:",
        ),
    ],
    ids=["outdated", "too-new"],
)
async def test_a_worker_stops_at_a_schema_that_does_not_fit(
    context: Context, dsn: str, change: str, error: type[Exception], complaint: str
) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(change.format(schema=context.schema).encode())
    with pytest.raises(error, match=complaint.format(schema=context.schema)):
        await Worker(context).start()


async def test_a_function_that_an_old_schema_lacks(context: Context, dsn: str) -> None:
    @context.job(name="PING")
    async def ping(payload: Ping) -> None: ...

    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(f'drop function "{context.schema}".deploy cascade'.encode())
    with pytest.raises(SchemaOutdated, match=f"run `cuckmq migrate --schema {context.schema}`"):
        await ping.deploy()


async def test_no_payload_text_in_the_errors_of_a_job_that_cannot_be_read(
    context: Context, ping: JobDefinition[Ping, int], dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """B2: validated on run as well; the row alone fails, and says why without saying what."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        row = await connection.execute(
            f'select "{context.schema}".enqueue(%s, %s)'.encode(),
            ("PING", f'{{"message": ["{SECRET}"], "{SECRET}": 1}}'),
        )
        ((job_id,),) = await row.fetchall()
    good = await ping.enqueue(Ping(message="hi"))
    with caplog.at_level(logging.DEBUG):
        async with Worker(context):
            with pytest.raises(
                JobFailed, match=r"failed \(invalid_payload\).*message: Input should be"
            ) as caught:
                await ping.handle(job_id).result(timeout_secs=10)
            assert await good.result(timeout_secs=10) == 2
    job = await context.jobs.get(job_id)
    assert SECRET not in f"{caught.value}{job.errors}{caplog.text}"
