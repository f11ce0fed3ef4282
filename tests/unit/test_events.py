"""The hub that tells events, and lets no handler do harm."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from datetime import UTC, datetime

import pytest

from cuckmq import events
from cuckmq.events import DefinitionDeployed, Event, JobDeleted, JobEvent
from cuckmq.hub import EventHub
from tests.support.eventually import eventually


def deleted(job_id: int = 1) -> JobDeleted:
    return JobDeleted(job_id=job_id)


def test_every_handler_hears_every_event_in_order() -> None:
    """I1: subscribe in this process to all events."""
    hub, one, two = EventHub(), list[Event](), list[Event]()
    hub.add(one.append)
    hub.add(two.append)
    told = [deleted(1), DefinitionDeployed(name="PING", definition_id=1), deleted(2)]
    for event in told:
        hub.tell(event)
    assert one == two == told


def test_nobody_listens_until_someone_does() -> None:
    hub = EventHub()
    assert not hub.is_heard
    remove = hub.add(print)
    assert hub.is_heard
    remove()
    assert not hub.is_heard


def test_removal_takes_out_one_handler_once() -> None:
    hub, heard = EventHub(), list[Event]()
    remove = hub.add(heard.append)
    hub.add(heard.append)
    remove()
    remove()
    hub.tell(deleted())
    assert len(heard) == 1


def test_a_handler_may_remove_itself_while_it_is_told() -> None:
    hub, heard = EventHub(), list[int]()

    def once(event: Event) -> None:
        heard.append(1)
        remove()

    remove = hub.add(once)
    hub.add(lambda event: heard.append(2))
    hub.tell(deleted())
    hub.tell(deleted())
    assert heard == [1, 2, 2]


def test_a_handler_that_raises_is_logged_and_the_next_one_hears(caplog: pytest.LogCaptureFixture) -> None:
    """I1: a handler that raises changes nothing."""

    def fail(event: Event) -> None:
        raise ValueError("not today")

    hub, heard = EventHub(), list[Event]()
    hub.add(fail)
    hub.add(heard.append)
    hub.tell(deleted())
    assert heard
    assert "an event handler failed on JobDeleted" in caplog.text
    assert "not today" in caplog.text


async def test_an_async_handler_goes_on_by_itself() -> None:
    gate, heard = asyncio.Event(), list[Event]()

    async def slow(event: Event) -> None:
        await gate.wait()
        heard.append(event)

    hub = EventHub()
    hub.add(slow)
    hub.tell(deleted())
    assert heard == []
    gate.set()
    await eventually(lambda: heard)


@pytest.mark.fault("G6")
async def test_an_async_handler_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(event: Event) -> None:
        raise ValueError("not today")

    hub = EventHub()
    hub.add(fail)
    hub.tell(deleted())
    await eventually(lambda: "an event handler failed on JobDeleted" in caplog.text)


def test_an_async_handler_hears_where_no_event_loop_runs(caplog: pytest.LogCaptureFixture) -> None:
    """I1: enqueue_sync in a script tells async handlers too."""
    heard = list[Event]()

    async def listen(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(event)

    hub = EventHub()
    hub.add(listen)
    hub.tell(deleted())
    assert len(heard) == 1
    assert not caplog.records


async def test_an_async_handler_told_from_a_thread_runs_on_the_loop_it_was_added_on() -> None:
    heard = list[threading.Thread]()

    async def listen(event: Event) -> None:
        heard.append(threading.current_thread())

    hub = EventHub()
    hub.add(listen)
    await asyncio.to_thread(hub.tell, deleted())
    await eventually(lambda: heard == [threading.current_thread()])


ALL_EVENTS = [each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)]


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.__name__)
def test_an_event_is_a_frozen_value_with_a_time_and_a_docstring(kind: type[Event]) -> None:
    assert kind.__doc__
    assert kind.__dictoffset__ == 0
    values = {field.name: 1 for field in dataclasses.fields(kind) if field.name != "at"}
    event = kind(**values)  # type: ignore[arg-type]
    assert datetime.now(UTC) >= event.at
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.at = datetime.now(UTC)  # type: ignore[misc]


def test_handlers_can_select_by_class() -> None:
    assert issubclass(events.AttemptSucceeded, JobEvent)
    assert issubclass(events.AttemptFailed, events.AttemptEvent)


def test_the_log_of_a_failing_handler_does_not_show_the_event(caplog: pytest.LogCaptureFixture) -> None:
    hub = EventHub()
    hub.add(lambda event: 1 / 0)  # type: ignore[arg-type, return-value]
    with caplog.at_level(logging.DEBUG):
        hub.tell(DefinitionDeployed(name="SECRET", definition_id=1))
    assert "SECRET" not in caplog.text
