"""A short soak, and the same against queues that break a promise, which must be found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.soak.mutants import MUTANTS
from tests.reliability.soak.play import play


async def test_the_queue_keeps_its_promises_under_faults(tmp_path: Path) -> None:
    """M1, M2, M4, E7, E15: twenty seconds of faults, and the judge finds nothing."""
    assert await play(tmp_path, secs=20, seed=1, drain_secs=60) == []


@pytest.mark.parametrize("mutant", ["no-fence", "no-group-check"])
async def test_a_broken_promise_is_found(tmp_path: Path, mutant: str) -> None:
    """E8, E15: without the fence, and without the exclusion of groups, the same judge finds plenty."""
    await must_be_found(tmp_path, mutant, secs=10)


@pytest.mark.full
@pytest.mark.parametrize("mutant", sorted({*MUTANTS} - {"no-fence", "no-group-check"}))
async def test_any_broken_promise_is_found(tmp_path: Path, mutant: str) -> None:
    """E15: so it does without limits, keys, waits before a retry, fenced moments, or words that cancel."""
    await must_be_found(tmp_path, mutant, secs=30)  # few jobs are cancelled while they run


async def must_be_found(folder: Path, mutant: str, *, secs: float) -> None:
    """Play against a queue with a promise taken out, up to three times.

    Whether the fault strikes where it shows is chance, most of all on a machine that is busy otherwise.
    """
    found: list[str] = []
    for seed in (3, 4, 5):
        (folder / str(seed)).mkdir()
        # A broken queue may never come to an end, and need not: what it did is in the journals.
        found = await play(folder / str(seed), secs=secs, seed=seed, mutant=mutant, drain_secs=2)
        if any(finding.startswith(f"{MUTANTS[mutant].rule}:") for finding in found):
            return
    raise AssertionError(f"{MUTANTS[mutant].rule} found nothing; others: {found}")
