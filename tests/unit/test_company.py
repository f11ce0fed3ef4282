"""How workers share what any of them can do."""

from __future__ import annotations

import pytest

from cuckmq._runtime.company import Company
from cuckmq.protocol.workers import Pulse


def heard(num_workers: int, *, is_rescue_due: bool = False, is_sweep_due: bool = False) -> Pulse:
    return Pulse(True, [], [], num_workers, is_rescue_due, is_sweep_due)


@pytest.mark.parametrize(
    ("num_workers", "num_eager", "secs"), [(0, 1, 2), (1, 1, 2), (2, 1, 4), (9, 1, 10), (3, 3, 2), (6, 3, 4)]
)
def test_the_more_there_are_the_longer_each_may_pause(num_workers: int, num_eager: int, secs: float) -> None:
    company = Company()
    assert company.share(2, at_most=5) == 2
    company.hear(heard(num_workers))
    assert company.share(2, at_most=5, num_eager=num_eager) == secs


def test_what_is_due_is_done_at_once() -> None:
    company, done = Company(), []
    company.on_rescue_due, company.on_sweep_due = lambda: done.append("rescue"), lambda: done.append("sweep")
    company.hear(heard(3))
    assert done == []
    company.hear(heard(3, is_rescue_due=True))
    company.hear(heard(3, is_sweep_due=True))
    assert done == ["rescue", "sweep"]
