"""A job that kills its worker, again and again, in the midst of others."""

from __future__ import annotations

import pytest

from cuckmq import Context, JobState
from cuckmq.errors import JobFailed
from tests.reliability.rig import Rig

NUM_INNOCENTS = 20


@pytest.mark.fault("A6")
async def test_the_innocents_beside_a_poison_all_succeed(rig: Rig, queue: Context):
    """F6: it ends after num_stalls, errors in between or not; jobs of one try claimed with it all succeed.

    The worker has a lane for each, so all are claimed with the poison, and are lost with it. When it is
    suspected it runs alone, also after the error.
    """
    plan = ["exit", "exit", "raise", "exit", "exit"]
    poison = await queue.definitions["plan"].enqueue(plan)
    innocents = await queue.definitions["sleep"].enqueue_many([0.5] * NUM_INNOCENTS, num_attempts=1)
    doomed = []
    options = {"concurrency": NUM_INNOCENTS + 1, "heartbeat_secs": 0.2, "lease_secs": 1.0}
    for _ in range(plan.count("exit")):
        doomed.append(await rig.start(**options))
        assert await doomed[-1].wait(60) == 7
    await rig.start(**options)
    with pytest.raises(JobFailed):
        await poison.result(timeout_secs=30)
    for handle in innocents:
        await handle.result(timeout_secs=30)
    job = await poison.get()
    assert (job.state, job.reason) == (JobState.FAILED, "stalled")
    assert (job.stall_count, job.num_stalls, job.error_count, job.attempt) == (4, 3, 1, 5)

    starts = rig.log.entries("start", poison.id)
    assert [entry.attempt for entry in starts] == [1, 2, 3, 4, 5]
    killed = [entry.pid for entry in starts if plan[entry.attempt - 1] == "exit"]
    assert killed == [each.pid for each in doomed]
    lost_with_it = {entry.job_id for entry in rig.log.entries("start") if entry.pid == doomed[0].pid}
    assert len(lost_with_it) == NUM_INNOCENTS + 1
    for number, suspected in enumerate(doomed[2:]):
        begun = {entry.job_id for entry in rig.log.entries("start") if entry.pid == suspected.pid}
        ended = {entry.job_id for entry in rig.log.entries("end") if entry.pid == suspected.pid}
        assert begun - ended == {poison.id}, number
    for handle in innocents:
        innocent = await handle.get()
        assert (innocent.state, innocent.error_count) == (JobState.SUCCEEDED, 0)
        assert 1 <= innocent.stall_count <= 2
