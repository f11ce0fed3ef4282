"""The queue does what its model does, whatever is done with it; and a queue that is broken is found out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cuckmq.schema import generate_migration_sql, render
from tests.stateful.machine import Machine

IS_LONG = "CUCKMQ_STATEFUL_EXAMPLES" in os.environ
NUM_EXAMPLES = int(os.environ.get("CUCKMQ_STATEFUL_EXAMPLES", "40"))

BREAKS = {
    "errors are not counted": ("settle", "j.error_count + (x.outcome = 'error')::integer", "j.error_count"),
    "groups are not exclusive": (
        "take_slices",
        "coalesce(free.seat, a.group_hash)",
        "a.group_hash # (select coalesce(max(r.job_id), 0) from {schema}.running r)",
    ),
    "cancellations are forgotten": (
        "settle",
        "c.attempt = g.attempt limit 1)",
        "c.attempt = g.attempt limit 1) is null",
    ),
    "the last come first": ("claim", "order by z.run_at limit", "order by z.run_at desc limit"),
    "paused channels are served": ("claim", "and not l.is_paused", ""),
    "limits are not looked at": ("take_limited", "q.concurrency - (", "q.concurrency + ("),
    "the dead keep their jobs": ("rescue", "r.worker_id = any(v_dead) or r.group_hash", "r.group_hash"),
    "the fence is open": ("finish", "and r.attempt = g.attempt and r.worker_id = p_worker_id", ""),
}
"""What is wrong with the queue, and how it is made so: the function, what it says, and what it says then."""


@pytest.fixture
def machine(dsn: str, schema: str) -> Iterator[type[Machine]]:
    """A machine with a queue of its own."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for fragment in generate_migration_sql(schema):
            connection.execute(fragment.encode())
        made: Any = type("Machine", (Machine,), {"connection": connection, "schema": schema})
        yield made


def profile(num_examples: int, *phases: Phase) -> settings:
    """Always the same runs, unless a number of them is asked for."""
    return settings(
        max_examples=num_examples,
        stateful_step_count=40,
        derandomize=not IS_LONG,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(36_000 if IS_LONG else 120)
def test_the_queue_does_what_its_model_does(machine: type[Machine]) -> None:
    """E13: states, attempts, order, exclusion, limits, keys and dependencies, after each of many steps."""
    run_state_machine_as_test(machine, settings=profile(NUM_EXAMPLES, Phase.generate, Phase.shrink))


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_broken_is_found(machine: type[Machine], what: str) -> None:
    function, right, wrong = BREAKS[what]
    source = (resources.files("cuckmq.schema") / "functions" / f"{function}.sql").read_text()
    assert right in source
    machine.connection.execute(render(source.replace(right, wrong), machine.schema).encode())
    with pytest.raises((AssertionError, psycopg.Error)):
        run_state_machine_as_test(machine, settings=profile(100, Phase.generate))
