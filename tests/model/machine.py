"""Claim, lease, settle, release, rescue, recall and cancel, as steps from one state to the next.

The machine is a queue with one group of two jobs, two worker processes and a rescuer. It is small, and
whoever reads it should hold it against the SQL, function by function: `STEPS` names for each step the file
that it stands for. What one transaction does in one stroke is one step here. A release, which deletes the
lease and then looks who stands in line, is two steps where it is broken; kept, the lock of the group makes
it one.

Time is left out. A worker may be taken for dead in any state whatever, and a process may be killed in any
state: so a pause, a cut network, a clock that jumps and a slow machine are all among what is explored,
without a step of their own. What a connection breaks off is there as a claim whose answer nobody hears.
Each of these happens once to each process at most, so that the last incarnation of each lives and can bring
everything to its end.

What is not here: priorities, limits, dependencies, unique keys, and more than one group. They have tests of
their own; here is what every job's safety hangs on.

`Rules` are what the SQL keeps. Each can be broken, one at a time, and exploring such a machine must come
upon a state that should never be: a machine in which a broken rule does no harm would be one that proves
nothing. (The fence asks for the worker and for the attempt. Either alone would do here, where no number
comes twice.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

NUM_ATTEMPTS: Final = 2
NUM_STALLS: Final = 1
MAX_INCARNATIONS: Final = 2
MAX_RETURNS: Final = 1
MAX_TURNS: Final = 2


class Rules(NamedTuple):
    """What the SQL keeps; each False is a promise broken."""

    settle_asks_who_holds_it: bool = True
    effects_commit_with_the_outcome: bool = True
    claim_wins_the_lease: bool = True
    claim_looks_at_its_own_row: bool = True
    claim_takes_the_first: bool = True
    a_claim_unheard_is_recalled: bool = True
    the_lease_goes_before_the_look: bool = True
    release_asks_for_the_worker: bool = True
    a_lost_slice_releases_nothing: bool = True
    rescue_counts_the_stall: bool = True
    rescue_takes_the_jobs: bool = True
    rescue_takes_the_lease: bool = True
    cancel_leaves_ends_alone: bool = True


class Job(NamedTuple):
    """A job with its entry. `attempt` is that of its last claim."""

    place: str = "unborn"  # unborn, waiting, running, succeeded, failed, cancelled
    holder: int = 0
    attempt: int = 0
    errors: int = 0
    stalls: int = 0
    returns: int = 0
    effects: int = 0
    is_cancel_asked: bool = False

    @property
    def has_ended(self) -> bool:
        return self.place in ("succeeded", "failed", "cancelled")

    @property
    def next_attempt(self) -> int:
        return self.errors + self.stalls + self.returns + 1


class Process(NamedTuple):
    """What a worker process believes: its id (0 while it is down), and the job and attempt in its hands.

    And whether a lane of it is still in a slice that the process has lost: user code cannot be ended at will.
    """

    id: int = 0
    num_incarnations: int = 0
    hand: tuple[int, int] | None = None
    owes_release: bool = False
    is_unsure: bool = False
    has_lost_slice: bool = False


class State(NamedTuple):
    """The database, and the processes around it."""

    jobs: tuple[Job, ...] = (Job("waiting"), Job())
    lease: int = 0
    num_turns: int = 1
    worker_ids: tuple[int, ...] = ()  # the workers that have a row and are not lost
    processes: tuple[Process, ...] = (Process(), Process())
    release: tuple[int, bool] | None = None  # under way: of which process, and whether somebody stood in line


Step = tuple[str, State]

#: Which function each step stands for.
STEPS: Final = {
    "enqueue": "enqueue_many",
    "register": "register_worker",
    "claim": "claim",
    "claim unheard": "claim",
    "recall": "recall",
    "succeed": "finish",
    "err": "settle",
    "release, first": "release_groups",
    "release, then": "release_groups",
    "release, late": "release_groups",
    "beat": "heartbeat",
    "rescue": "rescue",
    "cancel": "cancel",
}
#: And what no function does.
ACCIDENTS: Final = ("kill",)


def steps(state: State, rules: Rules) -> Iterator[Step]:
    """Every step that may come next."""
    yield from _producers(state, rules)
    yield from _rescuer(state, rules)
    for number, process in enumerate(state.processes):
        if process.id == 0:
            if process.num_incarnations < MAX_INCARNATIONS:
                yield "register", _register(state, number)
        else:
            yield from _worker(state, number, rules)


def _producers(state: State, rules: Rules) -> Iterator[Step]:
    for number, job in enumerate(state.jobs):
        if job.place == "unborn":
            born = _with_job(state, number, job._replace(place="waiting"))
            yield "enqueue", _with_turn(born)
        elif job.place == "waiting":
            yield "cancel", _with_job(state, number, job._replace(place="cancelled"))
        elif job.place == "running" and not job.is_cancel_asked:
            yield "cancel", _with_job(state, number, job._replace(is_cancel_asked=True))
        elif job.has_ended and not rules.cancel_leaves_ends_alone:
            yield "cancel", _with_job(state, number, job._replace(place="cancelled"))


def _worker(state: State, number: int, rules: Rules) -> Iterator[Step]:
    process = state.processes[number]
    is_lost = process.id not in state.worker_ids
    is_busy = process.hand is not None or process.owes_release
    if process.num_incarnations < MAX_INCARNATIONS:
        yield "kill", _end(state, number)
    if is_lost:
        yield "beat", _end(state, number, has_lost_slice=is_busy or process.has_lost_slice)
    if process.has_lost_slice:
        yield "release, late", _release_late(state, number, rules)
    if process.is_unsure:
        yield "recall", _recall(state, number, rules)
    elif not is_busy and state.num_turns and not (is_lost and rules.claim_looks_at_its_own_row):
        yield "claim", _claim(state, number, rules, is_heard=True)
        if max(job.returns for job in state.jobs) < MAX_RETURNS:
            yield "claim unheard", _claim(state, number, rules, is_heard=False)
    if process.hand is not None:
        yield "succeed", _settle(state, number, rules, is_error=False)
        yield "err", _settle(state, number, rules, is_error=True)
    elif process.owes_release:
        yield from _release(state, number, rules)


def _register(state: State, number: int) -> State:
    num = state.processes[number].num_incarnations + 1
    worker_id = 10 * (number + 1) + num
    has_lost_slice = state.processes[number].has_lost_slice
    begun = _with_process(state, number, Process(worker_id, num, has_lost_slice=has_lost_slice))
    return begun._replace(worker_ids=tuple(sorted((*begun.worker_ids, worker_id))))


def _end(state: State, number: int, *, has_lost_slice: bool = False) -> State:
    """A process is gone, or goes on under another id: what it had under way is undone."""
    over = Process(num_incarnations=state.processes[number].num_incarnations, has_lost_slice=has_lost_slice)
    release = None if state.release is not None and state.release[0] == number else state.release
    return _with_process(state, number, over)._replace(release=release)


def _claim(state: State, number: int, rules: Rules, *, is_heard: bool) -> State:
    process = state.processes[number]
    state = state._replace(num_turns=state.num_turns - 1)
    line = [place for place, job in enumerate(state.jobs) if job.place == "waiting"]
    if state.lease and rules.claim_wins_the_lease:
        # Dropped: whoever ends the lease looks who stands in line. But the worker releases what it took.
        return _with_process(state, number, process._replace(owes_release=True, is_unsure=not is_heard))
    state = state._replace(lease=process.id)
    hand = None
    if line:
        place = line[0] if rules.claim_takes_the_first else line[-1]
        job = state.jobs[place]
        hand = (place, job.next_attempt)
        state = _with_job(
            state, place, job._replace(place="running", holder=process.id, attempt=job.next_attempt)
        )
    if not is_heard:
        return _with_process(state, number, process._replace(is_unsure=True))
    return _with_process(state, number, process._replace(hand=hand, owes_release=True))


def _recall(state: State, number: int, rules: Rules) -> State:
    process = state.processes[number]
    if rules.a_claim_unheard_is_recalled:
        for place, job in enumerate(state.jobs):
            if job.place == "running" and job.holder == process.id:
                end = "cancelled" if job.is_cancel_asked else "waiting"
                state = _with_job(state, place, job._replace(place=end, holder=0, returns=job.returns + 1))
        if state.lease == process.id:
            state = _look(state._replace(lease=0))
    return _with_process(state, number, process._replace(is_unsure=False, owes_release=False))


def _settle(state: State, number: int, rules: Rules, *, is_error: bool) -> State:
    process = state.processes[number]
    assert process.hand is not None
    place, attempt = process.hand
    job = state.jobs[place]
    state = _with_process(state, number, process._replace(hand=None))
    is_mine = job.place == "running" and (
        (job.holder, job.attempt) == (process.id, attempt) or not rules.settle_asks_who_holds_it
    )
    if not is_error and not rules.effects_commit_with_the_outcome:
        job = job._replace(effects=job.effects + 1)
    if not is_mine:
        return _with_job(state, place, job)
    if not is_error:
        has_effect = rules.effects_commit_with_the_outcome
        job = job._replace(place="succeeded", holder=0, effects=job.effects + has_effect)
    elif job.is_cancel_asked:
        job = job._replace(place="cancelled", holder=0, errors=job.errors + 1)
    else:
        end = "failed" if job.errors + 1 >= NUM_ATTEMPTS else "waiting"
        job = job._replace(place=end, holder=0, errors=job.errors + 1)
    state = _with_job(state, place, job)
    # Put off by its backoff, it comes back with a turn of its own.
    return _with_turn(state) if job.place == "waiting" else state


def _release(state: State, number: int, rules: Rules) -> Iterator[Step]:
    process = state.processes[number]
    is_mine = state.lease == process.id or (state.lease != 0 and not rules.release_asks_for_the_worker)
    done = process._replace(owes_release=False)
    if not is_mine:
        yield "release, first", _with_process(state, number, done)
    elif rules.the_lease_goes_before_the_look:
        # The group's advisory lock is held from the first statement to the end, so this is one stroke to all
        # who ask for it; producers do not, but each brings a turn of its own.
        yield "release, first", _look(_with_process(state, number, done)._replace(lease=0))
    elif state.release is None:
        yield "release, first", state._replace(release=(number, _has_line(state)))
    elif state.release[0] == number:
        after = _with_process(state, number, done)._replace(lease=0, release=None)
        yield "release, then", _with_turn(after) if state.release[1] else after


def _release_late(state: State, number: int, rules: Rules) -> State:
    """A lane comes to the end of a slice that was lost, maybe when the process has won the group again."""
    process = state.processes[number]
    state = _with_process(state, number, process._replace(has_lost_slice=False))
    if rules.a_lost_slice_releases_nothing or state.lease != process.id:
        return state
    return _look(state._replace(lease=0))


def _rescuer(state: State, rules: Rules) -> Iterator[Step]:
    for worker_id in state.worker_ids:
        if worker_id % 10 < MAX_INCARNATIONS:
            yield "rescue", _take_from(state, worker_id, rules)


def _take_from(state: State, worker_id: int, rules: Rules) -> State:
    for place, job in enumerate(state.jobs):
        if job.place == "running" and job.holder == worker_id and rules.rescue_takes_the_jobs:
            taken = job._replace(holder=0, stalls=job.stalls + rules.rescue_counts_the_stall)
            if taken.is_cancel_asked:
                end = "cancelled"
            elif taken.stalls > NUM_STALLS:
                end = "failed"
            else:
                end = "waiting"
            state = _with_job(state, place, taken._replace(place=end))
    if state.lease == worker_id and rules.rescue_takes_the_lease:
        state = _look(state._replace(lease=0))
    return state._replace(worker_ids=tuple(each for each in state.worker_ids if each != worker_id))


def _look(state: State) -> State:
    return _with_turn(state) if _has_line(state) else state


def _has_line(state: State) -> bool:
    return any(job.place == "waiting" for job in state.jobs)


def _with_turn(state: State) -> State:
    return state._replace(num_turns=min(state.num_turns + 1, MAX_TURNS))


def _with_job(state: State, place: int, job: Job) -> State:
    if job.has_ended:
        job = Job(job.place, effects=job.effects)  # how it came there makes no difference to anything
    return state._replace(jobs=(*state.jobs[:place], job, *state.jobs[place + 1 :]))


def _with_process(state: State, number: int, process: Process) -> State:
    return state._replace(processes=(*state.processes[:number], process, *state.processes[number + 1 :]))
