"""Plugins: asked before jobs are put in, told after, and standing around attempts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from cuckmq import Context, Enqueuing, Plugin, Snooze, Worker
from cuckmq.attempt import AnyAttempt
from cuckmq.errors import ChannelFull, ConfigurationError
from cuckmq.events import AttemptFailed, AttemptSucceeded, Event, JobFailed

carried: ContextVar[str] = ContextVar("carried", default="nothing")


class Tracer(Plugin):
    """Writes down all that it hears."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name = name
        self.told = told

    def before_enqueue(self, enqueuing: Enqueuing) -> None:
        self.told.append(f"{self.name} before")
        enqueuing.payloads = [f"{payload}{self.name}" for payload in enqueuing.payloads]

    def after_enqueue(self, enqueuing: Enqueuing, job_ids: Sequence[int]) -> None:
        self.told.append(f"{self.name} after {len(job_ids)} of {enqueuing.name}")

    @asynccontextmanager
    async def around_attempt(self, attempt: AnyAttempt, payload: Any) -> AsyncGenerator[None]:
        self.told.append(f"{self.name} enters {payload}")
        carried.set(carried.get() + self.name)
        try:
            yield
        except Exception as error:
            self.told.append(f"{self.name} sees {error}")
            raise
        finally:
            self.told.append(f"{self.name} leaves")

    def on_event(self, event: Event) -> None:
        if isinstance(event, AttemptSucceeded | AttemptFailed | JobFailed):
            self.told.append(f"{self.name} {type(event).__name__}")


def beside(context: Context, *plugins: Plugin) -> Context:
    return Context(context.database.dsn, schema=context.schema, plugins=plugins)


@pytest.mark.parametrize("is_async", [True, False])
async def test_plugins_are_composed_in_order(context: Context, is_async: bool):
    """K1, K2, K3: the first is asked first and stands outermost; user handlers come last."""
    told: list[str] = []
    async with beside(context, Tracer("a", told), Tracer("b", told)) as plugged:

        async def work(payload: str) -> str:
            told.append(f"works on {payload}")
            return carried.get()

        def work_in_thread(payload: str) -> str:
            told.append(f"works on {payload}")
            return carried.get()

        function: Any = work if is_async else work_in_thread
        definition = plugged.job(name="work")(function)
        await plugged.deploy()
        plugged.add_event_handler(
            lambda event: told.append("user") if isinstance(event, AttemptSucceeded) else None
        )
        if is_async:
            handle = await definition.enqueue("x")
        else:
            handle = await asyncio.to_thread(definition.enqueue_sync, "x")
        async with Worker(plugged, concurrency=1):
            assert await handle.result(timeout_secs=10) == "nothingab"
            told.append("result")
            # What plugins set is gone for the next job, on the same lane.
            (second,) = await definition.enqueue_many(["y"])
            assert await second.result(timeout_secs=10) == "nothingab"
    told.remove("result")
    assert told[:13] == [
        "a before", "b before", "a after 1 of work", "b after 1 of work",
        "a enters xab", "b enters xab", "works on xab", "b leaves", "a leaves",
        "a AttemptSucceeded", "b AttemptSucceeded", "user", "a before",
    ]  # fmt: skip


async def test_error_and_failure(context: Context):
    """K2: around an attempt the error is seen; that it was the last one is told after commit."""
    told: list[str] = []
    async with beside(context, Tracer("a", told)) as plugged:

        @plugged.job(name="bad", num_attempts=2, backoff=0)
        async def bad(payload: str) -> None:
            raise ValueError("no")

        await plugged.deploy()
        async with Worker(plugged):
            handle = await bad.enqueue("x")
            with pytest.raises(Exception, match="no"):
                await handle.result(timeout_secs=10)
    once = ["a enters xa", "a sees no", "a leaves", "a AttemptFailed"]
    assert told[2:] == [*once, *once, "a JobFailed"]


class Bouncer(Plugin):
    """Refuses some, and writes down the others in a table of its own."""

    def __init__(self, table: str) -> None:
        self.table = table

    def before_enqueue(self, enqueuing: Enqueuing) -> None:
        enqueuing.options["priority"] = 7
        enqueuing.also(f"insert into {self.table} select %s from generate_series(1, 2)", [enqueuing.name])
        if "evil" in enqueuing.payloads:
            raise PermissionError("not you")


async def test_an_enqueue_and_what_is_written_with_it_are_one(context: Context):
    """K1: refused, failed or full, nothing of either is there; otherwise both are."""
    table = f'"{context.schema}".witness'
    async with context.database.connection() as connection:
        await connection.execute(f"create table {table} (name text)")

    async def num_written() -> int:
        async with context.database.connection() as connection:
            row = await (await connection.execute(f"select count(*) from {table}")).fetchone()
            return row[0] if row else 0

    bouncer = Bouncer(table)
    async with beside(context, bouncer) as plugged:

        @plugged.job(name="tight", channel="tight")
        async def tight(payload: str) -> None: ...

        await plugged.deploy()
        for enqueue in (tight.enqueue, lambda payload: asyncio.to_thread(tight.enqueue_sync, payload)):
            with pytest.raises(PermissionError):
                await enqueue("evil")
        with pytest.raises(PermissionError):
            await tight.enqueue_many(["good", "evil"])
        with pytest.raises(Exception, match="does not fit"):
            await tight.enqueue(3)  # type: ignore[arg-type]
        assert await num_written() == 0
        first = await tight.enqueue("good")
        await asyncio.to_thread(tight.enqueue_many_sync, ["good", "too"])
        assert await num_written() == 4
        assert (await first.get()).priority == 7

        async with context.database.connection() as own:
            async with own.transaction(force_rollback=True):
                await tight.enqueue("good", connection=own)
            await tight.enqueue("good", connection=own)
        assert await num_written() == 6

        await plugged.channels.limit("tight", max_size=1)
        with pytest.raises(ChannelFull):
            await tight.enqueue("good")
        with pytest.raises(ChannelFull):
            await tight.enqueue("good", wait_secs=0.05)
        assert await num_written() == 6
        bouncer.table = "no_such_table"
        with pytest.raises(Exception, match="no_such_table"):
            await tight.enqueue("good")
    assert sum((await context.jobs.count()).values()) == 4


class Clumsy(Plugin):
    """Fails wherever it may."""

    def after_enqueue(self, enqueuing: Enqueuing, job_ids: Sequence[int]) -> None:
        raise RuntimeError("after")

    @asynccontextmanager
    async def around_attempt(self, attempt: AnyAttempt, payload: Any) -> AsyncGenerator[None]:
        if payload == "enter":
            raise RuntimeError("entering")
        try:
            yield
        except ValueError:
            if payload == "swallow":
                return
            raise RuntimeError("changed") from None
        if payload == "leave":
            raise RuntimeError("leaving")

    def on_event(self, event: Event) -> None:
        raise RuntimeError("event")


@pytest.mark.fault("G6")
async def test_what_a_plugin_raises_changes_nothing(context: Context, caplog: pytest.LogCaptureFixture):
    """F10, K2: it is logged; the job goes as its work function says."""
    told: list[str] = []
    async with beside(context, Clumsy(), Tracer("a", told)) as plugged:

        @plugged.job(name="plain")
        async def plain(payload: str) -> str:
            if payload.startswith(("swallow", "change")):
                raise ValueError("mine")
            return "fine"

        await plugged.deploy()
        with caplog.at_level(logging.ERROR, logger="cuckmq"):
            async with Worker(plugged):
                handles = {
                    name: await plugged.definitions["plain"].enqueue(name)
                    for name in ("enter", "leave", "swallow", "change")
                }
                for name in ("enter", "leave"):
                    assert await handles[name].result(timeout_secs=10) == "fine"
                for name in ("swallow", "change"):
                    with pytest.raises(Exception, match="ValueError: mine"):
                        await handles[name].result(timeout_secs=10)
    logged = {record.name for record in caplog.records}
    assert logged == {"cuckmq.plugins", "cuckmq.events"}
    assert told.count("a leaves") == 4


async def test_a_cancelled_attempt_leaves_its_plugins(context: Context):
    """K2: they are left when an attempt is told to stop, and the job is cancelled."""
    told: list[str] = []
    started = asyncio.Event()
    async with beside(context, Tracer("a", told)) as plugged:

        @plugged.job(name="endless")
        async def endless(payload: str) -> None:
            started.set()
            await asyncio.Event().wait()

        @plugged.job(name="later")
        async def later(payload: str) -> Snooze:
            return Snooze(3600)

        await plugged.deploy()
        async with Worker(plugged):
            handle = await endless.enqueue("x")
            await started.wait()
            await handle.cancel()
            with pytest.raises(Exception, match="cancelled"):
                await handle.result(timeout_secs=10)
        assert told[-2:] == ["a enters xa", "a leaves"]


def test_what_is_no_plugin_is_refused():
    """K3: a class in place of an instance, at once."""
    with pytest.raises(ConfigurationError, match="is no plugin"):
        Context("", plugins=[Tracer])  # type: ignore[list-item]
