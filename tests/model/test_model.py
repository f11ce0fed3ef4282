"""The protocol holds in every state of the machine, and without any one of its rules it does not."""

from __future__ import annotations

from importlib import resources

import pytest

from tests.model.explore import explore
from tests.model.machine import ACCIDENTS, STEPS, Rules, State, steps


def test_no_way_leads_to_a_wrong_state_and_every_way_can_be_ended():
    """E8, E13: of jobs, of groups, of effects; and from every state all jobs can still end."""
    found = explore(Rules())
    assert found.problem is None, f"{found.problem}: {' > '.join(found.way)}"
    assert found.num_states > 10_000


@pytest.mark.parametrize("rule", Rules._fields)
def test_without_a_rule_it_comes_to_a_wrong_state(rule: str):
    """What is found is told by its shortest way."""
    found = explore(Rules()._replace(**{rule: False}))
    print(f"{found.problem}: {' > '.join(found.way)}")
    assert found.problem is not None


def test_each_step_stands_for_a_function_that_is_there():
    functions = resources.files("cuckmq.schema") / "functions"
    for function in STEPS.values():
        assert (functions / f"{function}.sql").is_file()
    labels, states = set(), [State()]
    for state in states[:2000]:
        for label, after in steps(state, Rules(the_lease_goes_before_the_look=False)):
            labels.add(label)
            if len(states) < 2000:
                states.append(after)
    assert labels <= set(STEPS) | set(ACCIDENTS)
