"""Go through every state of a machine, and tell the shortest way to one that should never be."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from tests.model.machine import NUM_ATTEMPTS, NUM_STALLS, Rules, State, steps


class Exploration(NamedTuple):
    """What was found: how many states, what is wrong with one, if any, and the steps that lead there."""

    num_states: int
    problem: str | None
    way: tuple[str, ...]


def explore(rules: Rules) -> Exploration:
    """Breadth first, from the beginning; the first problem that is met is the shortest way to one."""
    start = State()
    came_from: dict[State, tuple[str, State] | None] = {start: None}
    before: dict[State, list[State]] = {}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for label, after in steps(state, rules):
            problem = wrong_step(label, state, after) or wrong_state(after)
            if problem is not None:
                came_from.setdefault(after, (label, state))
                return Exploration(len(came_from), problem, (*_way(came_from, state), label))
            if label != "cancel":  # nobody is there to cancel what is stuck
                before.setdefault(after, []).append(state)
            if after not in came_from:
                came_from[after] = (label, state)
                queue.append(after)
    stuck = _find_stuck(came_from, before)
    if stuck is not None:
        return Exploration(len(came_from), "nothing leads to the end from here", _way(came_from, stuck))
    return Exploration(len(came_from), None, ())


def wrong_state(state: State) -> str | None:
    """What must never be, whatever led there."""
    if sum(job.place == "running" for job in state.jobs) > 1:
        return "two jobs of one group run"
    for number, job in enumerate(state.jobs):
        if job.effects > 1:
            return f"job {number} had its effect twice"
        if (job.effects == 1) != (job.place == "succeeded"):
            return f"job {number} is {job.place} with {job.effects} effects"
        if job.errors > NUM_ATTEMPTS or job.stalls > NUM_STALLS + 1:
            return f"job {number} ran more often than it may"
        if job.place == "running" and job.attempt != job.next_attempt:
            return f"job {number} runs under a number that is not its next"
    return None


def wrong_step(label: str, before: State, after: State) -> str | None:
    """What must never happen."""
    for number, (was, now) in enumerate(zip(before.jobs, after.jobs, strict=True)):
        if was.has_ended and now != was:
            return f"job {number} had ended, and changed"
        if label.startswith("claim") and now.place == "running" != was.place:
            if was.attempt >= now.attempt:
                return f"job {number} ran twice under one number"
            first = after.jobs[0]
            if number == 1 and was.attempt == 0 and first.place == "waiting" and first.errors == 0:
                return "the second of the group began before the first"
        if was.place == "running" != now.place and label in ("succeed", "err"):
            settler = next(
                process
                for process, later in zip(before.processes, after.processes, strict=True)
                if process != later
            )
            if (settler.id, settler.hand) != (was.holder, (number, was.attempt)):
                return f"job {number} was settled by who did not hold it"
    return None


def _find_stuck(
    came_from: dict[State, tuple[str, State] | None], before: dict[State, list[State]]
) -> State | None:
    """The first state from which no way leads to one in which every job has ended."""
    good = {state for state in came_from if all(job.has_ended for job in state.jobs)}
    queue = deque(good)
    while queue:
        for earlier in before.get(queue.popleft(), ()):
            if earlier not in good:
                good.add(earlier)
                queue.append(earlier)
    return next((state for state in came_from if state not in good), None)


def _way(came_from: dict[State, tuple[str, State] | None], state: State) -> tuple[str, ...]:
    way: list[str] = []
    while (step := came_from[state]) is not None:
        way.append(step[0])
        state = step[1]
    return tuple(reversed(way))
