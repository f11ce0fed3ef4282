"""The life of a job: one table in Python, and the constraints in SQL that hold it."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from cuckmq.schema import generate_migration_sql
from cuckmq.state import FINAL_STATES, TRANSITIONS, FailureReason, JobState


def test_every_state_has_its_steps() -> None:
    assert set(TRANSITIONS) == set(JobState)


@pytest.mark.parametrize("state", JobState)
def test_a_state_is_final_when_nothing_follows_but_a_retry(state: JobState) -> None:
    assert state.is_final == (TRANSITIONS[state] <= {JobState.QUEUED})
    assert state.is_final == (state in FINAL_STATES)


def test_every_state_but_the_first_ones_is_reached() -> None:
    reached = set().union(*TRANSITIONS.values())
    assert set(JobState) - reached == {JobState.BLOCKED}


def test_the_invariants_know_the_final_states_and_no_others() -> None:
    ddl = "\n".join(generate_migration_sql())
    match = re.search(r"state not in \(([^)]+)\)", ddl)
    assert match is not None
    assert set(re.findall(r"'(\w+)'", match[1])) == {state.value for state in FINAL_STATES}


def test_states_and_reasons_written_in_sql_are_known_here() -> None:
    ddl = "\n".join(generate_migration_sql())
    view = ddl[ddl.index("create view") :]
    shown = set(re.findall(r"(?:then|else) '(\w+)'", view[: view.index("end as state")]))
    assert shown == {"running", "scheduled", "blocked", "queued"}
    assert shown < {state.value for state in JobState}
    rescue = (resources.files("cuckmq.schema") / "functions" / "rescue.sql").read_text()
    assert f"'{FailureReason.STALLED}'" in rescue
    settle = (resources.files("cuckmq.schema") / "functions" / "settle.sql").read_text()
    assert f"'{FailureReason.ERROR}'" in settle
