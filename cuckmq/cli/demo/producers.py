"""Producers: put jobs in, and write down what must become of each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from cuckmq.cli.demo.jobs import Mail, Month, Shop, payload_of
from cuckmq.definition import JobDefinition
from cuckmq.state import JobState

NUM_PRODUCERS: Final = 4
BATCH_SIZE: Final = 60
PAUSE_SECS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Fate:
    """What must become of a job.

    Attributes:
        name: of its definition.
        state: in which it must end.
        num_errors: how many tries must have ended in an error; None if it does not matter.
    """

    name: str
    state: JobState = JobState.SUCCEEDED
    num_errors: int | None = 0


@dataclass(slots=True)
class Ledger:
    """What was put in, by job id."""

    fates: dict[int, Fate] = field(default_factory=dict)

    def enter(self, job_id: int, fate: Fate) -> None:
        """Write down a job."""
        self.fates[job_id] = fate


async def produce(shop: Shop, ledger: Ledger, num_jobs: int) -> None:
    """Put in jobs of all kinds from several producers at once."""
    batches = iter([range(at, min(at + BATCH_SIZE, num_jobs)) for at in range(0, num_jobs, BATCH_SIZE)])
    async with asyncio.TaskGroup() as group:
        for _ in range(NUM_PRODUCERS):
            group.create_task(_produce(shop, ledger, batches))


async def _produce(shop: Shop, ledger: Ledger, batches: Iterator[range]) -> None:
    for numbers in batches:
        jobs = sorted((payload_of(shop, number) for number in numbers), key=lambda job: job[0].name)
        for definition, some in groupby(jobs, key=lambda job: job[0]):
            await _put_in(definition, [payload for _, payload in some], ledger)
        await asyncio.sleep(PAUSE_SECS)


async def _put_in(definition: JobDefinition[Any, Any], payloads: list[Any], ledger: Ledger) -> None:
    handles = await definition.enqueue_many(payloads)
    for handle, payload in zip(handles, payloads, strict=True):
        ledger.enter(handle.id, _fate_of(definition.name, payload))


async def ask_for_report(shop: Shop, ledger: Ledger) -> None:
    """Put in a single long job that overtakes all others."""
    handle = await shop.report.enqueue(Month(year=2026, month=1))
    ledger.enter(handle.id, Fate(shop.report.name))


def _fate_of(name: str, payload: Any) -> Fate:
    if not isinstance(payload, Mail):
        return Fate(name)
    if "@" not in payload.to:
        return Fate(name, JobState.FAILED, None)
    return Fate(name, num_errors=payload.num_outages)
