"""The lease's clock: it runs whatever the heart is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cuckmq._runtime.lease import Lease
from tests.support.eventually import eventually_sync


@pytest.fixture
def ends() -> list[float]:
    return []


@pytest.fixture
def lease(ends: list[float]) -> Iterator[Lease]:
    lease = Lease(0.4, lambda: ends.append(time.monotonic()))
    yield lease
    lease.stop()


def test_it_is_over_before_the_queue_says_so_and_once(lease: Lease, ends: list[float]):
    began_at = time.monotonic()
    lease.begin()
    assert lease.is_sure()
    eventually_sync(lambda: ends)
    assert 0.2 <= ends[0] - began_at < 0.4
    assert not lease.is_sure()
    lease.begin()
    eventually_sync(lambda: len(ends) == 2)


def test_beats_put_it_off(lease: Lease, ends: list[float]):
    lease.begin()
    began_at = time.monotonic()
    while time.monotonic() - began_at < 0.6:
        lease.renew(time.monotonic())
        time.sleep(0.02)
    assert not ends
    last_at = time.monotonic()
    eventually_sync(lambda: ends)
    assert ends[0] - last_at < 0.4


def test_a_worker_that_is_gone_has_none(lease: Lease, ends: list[float]):
    lease.begin()
    lease.end()
    eventually_sync(lambda: not lease.is_sure())
    lease.renew(time.monotonic())
    assert not ends


def test_stopped_it_leaves_no_thread(lease: Lease):
    lease.begin()
    assert "cuckmq-lease" in {thread.name for thread in threading.enumerate()}
    lease.stop()
    eventually_sync(lambda: "cuckmq-lease" not in {thread.name for thread in threading.enumerate()})
