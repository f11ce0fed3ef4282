"""A graph of jobs, while workers are killed: none begins before all that it waits for has ended."""

from __future__ import annotations

import random
import signal

from cuckmq import Context, JobState
from tests.reliability.rig import Rig
from tests.support.eventually import eventually

NUM_JOBS = 1000


def needs_of(number: int, dice: random.Random) -> list[int]:
    """Fans out, a chain, fans in, and then by chance; groups that must wait, too."""
    if number == 0:
        return []
    if number < 100:
        return [0]
    if number < 200:
        return [number - 1]
    if number == 200:
        return list(range(1, 100))
    return dice.sample(range(number), dice.randrange(4))


async def test_a_graph_of_a_thousand_survives_its_workers(rig: Rig, queue: Context):
    """E31, E13, M1: two processes of one lane each, four of them killed on the way; by a log outside."""
    options = {"concurrency": 1, "heartbeat_secs": 0.2, "lease_secs": 1.0}
    dice = random.Random(31)
    plain = queue.definitions["plain"]
    handles = [await plain.enqueue(0, num_stalls=10)]
    needs: dict[int, list[int]] = {}
    for number in range(1, NUM_JOBS):
        chosen = [handles[each].id for each in needs_of(number, dice)]
        group = dice.choice([None, None, None, "a", "b"])
        handles.append(await plain.enqueue(number, after=chosen, job_group=group, num_stalls=10))
        needs[handles[-1].id] = chosen
    assert (await queue.jobs.count())[JobState.BLOCKED] > NUM_JOBS / 2
    workers = [await rig.start(**options), await rig.start(**options)]
    for share in (0.1, 0.3, 0.5, 0.7):
        await eventually(lambda share=share: len(rig.log.entries("end")) > share * NUM_JOBS, timeout_secs=60)
        killed = workers.pop(0)
        killed.send(signal.SIGKILL)
        await killed.wait()
        workers.append(await rig.start(**options))
    for handle in handles:
        await handle.result(timeout_secs=60)
    first_starts = {entry.job_id: entry.at for entry in reversed(rig.log.entries("start"))}
    last_ends = {entry.job_id: entry.at for entry in rig.log.entries("end")}
    assert set(first_starts) == {handle.id for handle in handles}
    for job_id, chosen in needs.items():
        assert all(last_ends[each] < first_starts[job_id] for each in chosen)
