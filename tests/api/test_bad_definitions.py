"""Bad input where it is written: an error of ours, before anything touches a database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from cuckmq import Attempt, Context, CuckmqError, Exponential, JobDefinition, Orchestrator, Snooze, Worker
from cuckmq.errors import ConfigurationError, DefinitionError, DuplicateDefinition, InvalidName


class Ping(BaseModel):
    message: str


NOWHERE = "host=/nonexistent"


async def work(payload: Ping, attempt: Attempt) -> int:
    return attempt.number


async def work_none() -> int:
    return 1


async def work_optional(payload: Ping | None) -> int:
    return 1


@pytest.fixture
def nowhere() -> Context:
    """A context with no database behind it: whoever touches one fails."""
    return Context(NOWHERE)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"num_atempts": 3},
            r"job 'PING': unknown option num_atempts; there are .*num_attempts.*repeat_secs",
        ),
        ({"a": 1, "b": 2}, r"unknown option a, b; there are"),
        ({"num_attempts": 0}, "num_attempts is 0: allowed are 1 to"),
        ({"num_attempts": True}, "num_attempts is a whole number, not True"),
        ({"num_attempts": "3"}, "num_attempts is a whole number, not '3'"),
        ({"num_stalls": -1}, "num_stalls is -1: allowed are 0 to"),
        ({"num_stalls": 1.0}, r"num_stalls is a whole number, not 1\.0"),
        ({"delay_secs": -1}, "delay_secs is -1: allowed are 0 to"),
        ({"delay_secs": timedelta(-1)}, "delay_secs is .*: allowed are 0 to"),
        ({"delay_secs": True}, "delay_secs is a number of seconds or a timedelta, not True"),
        ({"backoff": -1}, "backoff is -1: allowed are 0 to"),
        ({"backoff": "exponential"}, "backoff is a number of seconds or a timedelta, not 'exponential'"),
        ({"backoff": Exponential}, r"backoff is the class Exponential: give a value, as in Exponential\(b"),
        ({"backoff": work_none}, "backoff is an async function: nobody awaits it"),
        (
            {"retry_on": ValueError},
            r"retry_on is a tuple of exception classes, as in \(ValueError,\), not",
        ),
        ({"retry_on": [ValueError]}, r"retry_on is a tuple of exception classes"),
        ({"retry_on": ()}, r"retry_on is a tuple of exception classes"),
        ({"no_retry_on": (ValueError, int)}, "no_retry_on has <class 'int'>, which is no exception class"),
        (
            {"no_retry_on": (ValueError("no"),)},
            r"no_retry_on has ValueError\('no'\), which is no exc",
        ),
        ({"retry_on": (Snooze,)}, "retry_on has Snooze: a verdict says by itself what comes next"),
        ({"num_failures": 0}, "num_failures is 0: allowed are 1 to"),
        ({"num_failures": True}, "num_failures is a whole number, not True"),
        ({"execution_timeout_secs": 0}, "execution_timeout_secs is 0: allowed are 0.001 to"),
        ({"execution_timeout_secs": "5"}, "execution_timeout_secs is a number of seconds or a timedelta"),
        ({"priority": 32768}, "priority is 32768: allowed are -32768 to 32767"),
        ({"priority": None}, "priority is a whole number, not None"),
        ({"channel": ""}, "channel '' has 0 characters"),
        ({"channel": "a\nb"}, "control character"),
        ({"channel": 5}, "a channel is a string, not 5"),
        ({"channel": None}, "a channel is a string, not None"),
        ({"job_group": "x" * 501}, "has 501 characters"),
        ({"job_group": ""}, "has 0 characters"),
        ({"job_group": 5}, "a job group is a string, not 5"),
    ],
)
def test_options_of_a_definition(nowhere: Context, options: dict[str, Any], complaint: str) -> None:
    """B1: refused where it is written, and not registered."""
    with pytest.raises(ConfigurationError, match=complaint):
        nowhere.job(name="PING", **options)(work)
    with pytest.raises(ConfigurationError, match=complaint):
        JobDefinition(context=nowhere, name="PING", work_function=work, **options)
    assert nowhere.definitions == {}


@pytest.mark.parametrize("name", ["", "x" * 201, "a\0b", "a\nb", "a\ud800", None, 5, b"PING"])
def test_names_of_definitions(nowhere: Context, name: Any) -> None:
    with pytest.raises(InvalidName):
        nowhere.job(name=name)(work)
    assert nowhere.definitions == {}


def test_one_name_is_for_one_definition(nowhere: Context) -> None:
    """B1: unique name enforced; the first one stays."""
    first = nowhere.job(name="PING")(work)
    with pytest.raises(DuplicateDefinition, match="PING"):
        nowhere.job(name="PING")(work_none)
    assert nowhere.definitions == {"PING": first}
    Context(NOWHERE).job(name="PING")(work_none)


@pytest.mark.parametrize("function", [work, work_optional])
def test_only_a_job_without_a_payload_repeats(nowhere: Context, function: Any) -> None:
    """D2: refused at run time too."""
    with pytest.raises(DefinitionError, match="job 'PING': only a job without a payload can repeat"):
        nowhere.job(name="PING", repeat_secs=5)(function)
    assert nowhere.definitions == {}


@pytest.mark.parametrize("secs", [0, -1, 0.01, float("nan"), float("inf"), "5", True, timedelta(0)])
def test_a_repeat_needs_a_rhythm(nowhere: Context, secs: Any) -> None:
    with pytest.raises(ConfigurationError, match="repeat_secs"):
        nowhere.job(name="PING", repeat_secs=secs)(work_none)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"pool_or_dsn": 5}, r"takes a DSN or a psycopg_pool\.AsyncConnectionPool, not int"),
        ({"pool_or_dsn": "no such thing"}, "the DSN cannot be read"),
        ({"schema": "pg_queue"}, "PostgreSQL keeps pg_ for itself"),
        ({"schema": 'a"; drop table x; --'}, "is not allowed"),
        ({"schema": "x" * 49}, "is not allowed"),
        ({"schema": None}, "is not allowed"),
        ({"job_post_finalize_delete_secs": -1}, "job_post_finalize_delete_secs is -1"),
        ({"job_post_finalize_delete_secs": True}, "job_post_finalize_delete_secs is a number of seconds"),
        ({"job_group_unlock_secs": 0}, "job_group_unlock_secs is 0: allowed are 1 to"),
        ({"listen_dsn": "no such thing"}, "listen_dsn cannot be read"),
    ],
)
def test_options_of_a_context(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Context(**{"pool_or_dsn": NOWHERE} | arguments)


def test_an_unreadable_dsn_does_not_show_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Context("host=x pasword=hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"channels": "mail"}, r'channels is a list of names: write \["mail"\]'),
        ({"channels": [""]}, "channel '' has 0 characters"),
        ({"channels": [5]}, "a channel is a string, not 5"),
        ({"channels": 5}, "channels is a list of names, not 5"),
        ({"concurrency": 0}, "concurrency is 0: allowed are 1 to 10000"),
        ({"concurrency": True}, "concurrency is a whole number, not True"),
        ({"concurrency": 2.0}, "concurrency is a whole number"),
        ({"poll_secs": 0}, "poll_secs is 0"),
        ({"heartbeat_secs": -1}, "heartbeat_secs is -1"),
        ({"lease_secs": 4}, "lease_secs is 4, less than two heartbeats"),
        ({"shutdown_secs": "soon"}, "shutdown_secs is a number of seconds"),
        ({"name": "a\0"}, "control character"),
        ({"name": ""}, "has 0 characters"),
    ],
)
def test_options_of_a_worker(nowhere: Context, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Worker(nowhere, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"job_schedule_poll_secs": 0},
        {"job_delete_poll_secs": -5},
        {"heartbeat_secs": True},
        {"lease_secs": "10"},
    ],
)
def test_options_of_an_orchestrator(nowhere: Context, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Orchestrator(nowhere, **options)


async def test_a_pool_that_is_not_open(dsn: str) -> None:
    """A1: a closed pool of the caller's is told apart at the first use, with the way out."""
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(dsn, open=False)
    context = Context(pool)
    ping = context.job(name="PING")(work)
    with pytest.raises(ConfigurationError, match=r"is not open: open it first, with `await pool\.open\(\)`"):
        await ping.deploy()
    await context.close()


def test_all_of_these_are_of_one_family() -> None:
    assert issubclass(ConfigurationError, CuckmqError)
    assert issubclass(ConfigurationError, ValueError)
