"""Schedules by cron, and schedules at run time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cuckmq import Context, JobDefinition, JobState, Orchestrator, Worker
from cuckmq.errors import (
    ConfigurationError,
    DefinitionError,
    DefinitionNotDeployed,
    InvalidPayload,
    ScheduleNotFound,
)
from cuckmq.events import Event, ScheduleTicked
from tests.support.eventually import eventually
from tests.support.queue import Queue

PAST = "update {schema}.schedule set next_at = date_trunc('hour', now()) - interval '1 hour'"
PAYLOADS = "select payload::text from {schema}.all_job order by id"


def sweep() -> None: ...


def greet(name: str) -> str:
    return name


async def greeting(context: Context, **options: Any) -> JobDefinition[str, str]:
    definition: JobDefinition[str, str] = JobDefinition(
        context=context, name="GREET", work_function=greet, **options
    )
    await definition.deploy()
    return definition


async def test_a_definition_by_cron(context: Context, queue_of: Queue) -> None:
    """D7: its first slot is the next one of the expression; orchestrators serve each slot once."""
    seen: list[Event] = []
    context.add_event_handler(seen.append)
    definition = context.job(name="SWEEP", cron="0 * * * *", timezone="Europe/Berlin")(sweep)
    await definition.deploy()
    schedule = await context.schedules.get("SWEEP")
    assert (schedule.cron, schedule.timezone, schedule.repeat_secs) == ("0 * * * *", "Europe/Berlin", None)
    assert timedelta(0) < schedule.next_at - datetime.now(UTC) <= timedelta(hours=1)
    queue_of.eye.rows(PAST)
    planned = (await context.schedules.get("SWEEP")).next_at
    async with Orchestrator(context), Orchestrator(context), Orchestrator(context):
        await eventually(lambda: any(isinstance(each, ScheduleTicked) for each in seen))
    assert [each.slot_at for each in seen if isinstance(each, ScheduleTicked)] == [planned]
    assert queue_of.count("job") == 1
    after = await context.schedules.get("SWEEP")
    assert (after.last_at, after.next_at) == (planned, schedule.next_at)


async def test_a_deployment_leaves_the_next_slot_unless_the_rhythm_changed(
    context: Context, queue_of: Queue
) -> None:
    """D7: a deployment does not lose a slot that is due."""
    definition = context.job(name="SWEEP", cron="0 * * * *")(sweep)
    await definition.deploy()
    queue_of.eye.rows(PAST)
    planned = (await context.schedules.get("SWEEP")).next_at
    await definition.deploy()
    assert (await context.schedules.get("SWEEP")).next_at == planned
    other = Context(context.database.dsn, schema=context.schema)
    async with other:
        await other.job(name="SWEEP", cron="30 * * * *")(sweep).deploy()
        assert (await context.schedules.get("SWEEP")).next_at > datetime.now(UTC)
        await JobDefinition(
            context=Context(context.database.dsn, schema=context.schema), name="SWEEP", work_function=sweep
        ).deploy()
    assert await context.schedules.list() == []


@pytest.mark.parametrize(("missed", "number"), [("one", 1), ("all", 3), ("skip", 1)])
async def test_orchestrators_that_were_down(
    context: Context, queue_of: Queue, missed: Any, number: int
) -> None:
    """D7: the slots of the time between go by the policy."""
    definition = context.job(name="SWEEP", repeat_secs=3600, missed=missed)(sweep)
    await definition.deploy()
    queue_of.eye.rows("update {schema}.schedule set next_at = now() - interval '2 hours'")
    async with Orchestrator(context):
        await eventually(lambda: queue_of.count("job") == number)
        next_at = (await context.schedules.get("SWEEP")).next_at
    assert next_at > datetime.now(UTC)
    assert queue_of.count("job") == number


@pytest.mark.parametrize(
    ("overlap", "states"),
    [
        ("queue", ["queued", "queued"]),
        ("skip", ["queued"]),
        ("replace", ["cancelled", "queued"]),
    ],
)
def test_a_slot_while_the_job_of_the_last_waits(queue: Queue, overlap: str, states: list[str]) -> None:
    """D7: both, the old, or the new; the rhythm goes on in any case."""
    ping = queue.eye.deploy("PING", p_repeat_secs=3600.0, p_overlap=overlap)
    queue.eye.tick([ping])
    queue.eye.rows("update {schema}.schedule set next_at = next_at - interval '1 hour'")
    planned = queue.eye.value("select next_at from {schema}.schedule")
    queue.eye.tick([ping])
    assert [row[0] for row in queue.eye.rows("select state from {schema}.all_job order by id")] == states
    assert queue.eye.value("select next_at from {schema}.schedule") == planned + timedelta(hours=1)


def test_a_slot_while_the_job_of_the_last_runs(queue: Queue) -> None:
    """D7: `replace` asks it to stop; `skip` leaves it alone until it has ended."""
    ping = queue.eye.deploy("PING", p_repeat_secs=3600.0, p_overlap="replace")
    due_again = "update {schema}.schedule set next_at = now()"
    queue.eye.tick([ping])
    worker_id = queue.eye.register()
    (job,) = queue.eye.claim(worker_id)
    queue.eye.rows(due_again)
    ((_, _, second, _), _) = queue.eye.tick([ping])
    assert queue.job(job.job_id, "is_cancel_requested") is True
    assert queue.state(second) == "queued"
    queue.eye.deploy("PING", p_repeat_secs=3600.0, p_overlap="skip")
    queue.eye.rows(due_again)
    assert queue.eye.tick([ping])[0][2] is None
    queue.eye.cancel(second)
    queue.eye.rows(due_again)
    assert queue.eye.tick([ping])[0][2] is not None


def test_who_read_a_slot_and_comes_late_serves_nothing(queue: Queue) -> None:
    """D7, D3: the slot that was read must be the next one still, or the tick is void."""
    ping = queue.eye.deploy("PING", p_cron="0 * * * *")
    queue.eye.rows(PAST)
    ((_, _, due_at, now, *_),) = queue.eye.rows("select * from {schema}.due_schedules(%s)", [ping])
    tick = "select * from {schema}.tick('PING', %s, %s, %s)"
    next_at = now + timedelta(hours=1)
    one, two = queue.session(), queue.session()
    two.rows("set lock_timeout = '1s'")
    one.begin()
    assert len(one.rows(tick, due_at, [due_at], next_at)) == 1
    assert two.rows(tick, due_at, [due_at], next_at) == []
    one.commit()
    assert two.rows(tick, due_at, [due_at], next_at) == []
    assert queue.count("job") == 1


async def test_several_schedules_of_a_definition(context: Context, queue_of: Queue) -> None:
    """D7: added at run time, each with its payload; the jobs run."""
    definition = await greeting(context, job_group=lambda name: f"g-{name}")
    await context.schedules.add("morning", definition, "Ada", cron="0 8 * * *", timezone="Europe/Berlin")
    await context.schedules.add("often", definition, "Bob", repeat_secs=3600)
    told = [(each.name, each.definition, each.payload) for each in await context.schedules.list()]
    assert told == [("morning", "GREET", '"Ada"'), ("often", "GREET", '"Bob"')]
    queue_of.eye.rows(PAST)
    async with Orchestrator(context), Worker(context):
        await eventually(lambda: queue_of.count("finalized") == 2)
    jobs = await context.jobs.list()
    assert {(each.result, each.job_group) for each in jobs} == {("Ada", "g-Ada"), ("Bob", "g-Bob")}


async def test_changing_pausing_and_removing(context: Context, queue_of: Queue) -> None:
    """D7, C13: from any process; what is paused or gone puts in nothing, and what is resumed looks ahead."""
    definition = await greeting(context)
    await context.schedules.add("s", definition, "Ada", repeat_secs=3600)
    await context.schedules.add("s", definition, "Bob", repeat_secs=3600, overlap="skip")
    assert [(each.payload, each.overlap) for each in await context.schedules.list()] == [('"Bob"', "skip")]
    await context.schedules.pause("s")
    queue_of.eye.rows(PAST)
    assert queue_of.eye.tick(list(context.known)) == [(None, None, None, None)]
    async with Context(context.database.dsn, schema=context.schema) as other:
        await other.schedules.resume("s")
    schedule = await context.schedules.get("s")
    assert not schedule.is_paused
    assert schedule.next_at > datetime.now(UTC)
    await context.schedules.remove("s")
    assert queue_of.eye.tick(list(context.known)) == [(None, None, None, None)]
    assert queue_of.count("job") == 0
    for call in (context.schedules.pause, context.schedules.resume, context.schedules.remove):
        with pytest.raises(ScheduleNotFound, match=r"schedules\.list"):
            await call("s")


async def test_a_removal_waits_for_a_tick_that_has_it(context: Context, queue_of: Queue) -> None:
    """D7, M2: the tick that came first still puts in its job; none after it does."""
    definition = await greeting(context)
    await context.schedules.add("s", definition, "Ada", repeat_secs=3600)
    one = queue_of.session()
    one.begin()
    assert len(one.tick(list(context.known))) == 2
    two = queue_of.session()
    removing = two.start(two.value, "select {schema}.remove_schedule('s')")
    await asyncio.to_thread(queue_of.wait_until_blocked, two, by=one)
    one.commit()
    assert await asyncio.to_thread(removing.result, 10) is True
    assert queue_of.count("job") == 1


async def test_an_undeployed_definition_loses_all_its_schedules(context: Context) -> None:
    """D7: the declared one and those that were added."""
    definition = context.job(name="SWEEP", cron="0 * * * *")(sweep)
    await definition.deploy()
    await context.schedules.add("too", definition, repeat_secs=60)
    with pytest.raises(ConfigurationError, match="pause it"):
        await context.schedules.remove("SWEEP")
    await definition.undeploy()
    assert await context.schedules.list() == []


async def test_schedules_that_cannot_be(context: Context) -> None:
    """D7: refused when they are added, with what to do."""
    definition = await greeting(context)
    add: Any = context.schedules.add
    with pytest.raises(InvalidPayload):
        await add("s", definition, 5, repeat_secs=5)
    with pytest.raises(ConfigurationError, match="no rhythm"):
        await add("s", definition, "Ada")
    with pytest.raises(ConfigurationError, match="unknown option every"):
        await add("s", definition, "Ada", every=5)
    with pytest.raises(ConfigurationError, match="overlap is 'wait'"):
        await add("s", definition, "Ada", repeat_secs=5, overlap="wait")
    other = context.job(name="OTHER", repeat_secs=5)(sweep)
    with pytest.raises(DefinitionNotDeployed):
        await context.schedules.add("s", other, repeat_secs=5)
    await other.deploy()
    with pytest.raises(ConfigurationError, match="unique"):
        await add("OTHER", definition, "Ada", repeat_secs=5)
    make: Any = context.job
    with pytest.raises(DefinitionError, match="without a payload"):
        make(name="ODD", cron="* * * * *")(greet)
    with pytest.raises(DefinitionError, match="go with cron or repeat_secs"):
        make(name="ODD", overlap="skip")(sweep)
    with pytest.raises(ConfigurationError, match="missed is 'some'"):
        make(name="ODD", cron="* * * * *", missed="some")(sweep)


async def test_a_zone_that_this_host_does_not_know_stops_no_other(context: Context, queue_of: Queue) -> None:
    """D7: it is logged and left alone; the others are served."""
    definition = await greeting(context)
    await context.schedules.add("bad", definition, "Ada", cron="0 * * * *")
    await context.schedules.add("good", definition, "Bob", repeat_secs=3600)
    queue_of.eye.rows(PAST)
    queue_of.eye.rows("update {schema}.schedule set timezone = 'Moon/Crater' where name = 'bad'")
    async with Orchestrator(context):
        await eventually(lambda: queue_of.count("job") == 1)
    assert [each.state for each in await context.jobs.list()] == [JobState.QUEUED]
    assert queue_of.eye.rows(PAYLOADS) == [('"Bob"',)]
