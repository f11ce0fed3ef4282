"""context.schedules: what repeats, and when."""

from __future__ import annotations

import pytest

from cuckmq import Context, CuckmqError
from cuckmq.errors import ScheduleNotFound
from tests.support.queue import Queue


async def test_schedules_tell_their_next_and_last_moment(context: Context, dsn: str) -> None:
    """H3: what repeats is listed, before and after its first job, until it is undeployed."""

    @context.job(name="SWEEP", repeat_secs=60)
    async def sweep() -> None: ...

    @context.job(name="COUNT", repeat_secs=5)
    async def count() -> None: ...

    assert await context.schedules.list() == []
    await context.deploy()
    before = await context.schedules.list()
    assert [(each.name, each.repeat_secs, each.last_at) for each in before] == [
        ("COUNT", 5, None),
        ("SWEEP", 60, None),
    ]
    with Queue(dsn, context.schema) as queue:
        queue.eye.tick(list(context.known))
    after = await context.schedules.get("SWEEP")
    assert after.last_at == before[1].next_at
    assert (after.next_at - after.last_at).total_seconds() == 60
    await sweep.undeploy()
    assert [each.name for each in await context.schedules.list()] == ["COUNT"]
    with pytest.raises(ScheduleNotFound, match=r"no schedule 'SWEEP': .*schedules\.list") as caught:
        await context.schedules.get("SWEEP")
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, CuckmqError)
