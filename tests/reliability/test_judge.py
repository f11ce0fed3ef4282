"""The judge of the soak passes a good history, and finds each thing that can be wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.soak.history import Call, Cancel, Fault, History, Journal, Row, Run, Take
from tests.reliability.soak.judge import RULES, judge
from tests.reliability.soak.reader import read_history

LEASE_SECS = 2.0


def row(
    job_id: int, key: str | None, *, name: str = "work", state: str = "succeeded", attempt: int = 1
) -> Row:
    return Row(job_id, key, name, state, attempt, 0, 0, num_attempts=3, num_stalls=2)


def good() -> History:
    """Two jobs of a group one after the other, one of them again after its worker was killed; an effect.

    Then one that is tried again, a key that two jobs hold one after the other, limits that are used up,
    and jobs that are cancelled before they start and while they run.
    """
    history = History(LEASE_SECS, life_secs=60.0)
    for number, group in ((1, "g"), (2, "g"), (3, None)):
        history.calls[f"k{number}"] = Call(
            f"k{number}", at=number, group=group, job_id=number, acked_at=number + 0.1
        )
        history.rows[number] = row(number, f"k{number}")
    history.calls["unknown"] = Call("unknown", at=4)
    history.runs = [
        Run(1, 1, "g", pid=10, began_at=5.0),
        Run(1, 2, "g", pid=11, began_at=9.0, ended_at=9.5, settled_at=9.6, verdict="succeeded"),
        Run(2, 1, "g", pid=10, began_at=9.7, ended_at=9.8, settled_at=9.9, verdict="succeeded"),
        Run(3, 1, None, pid=11, began_at=4.0, ended_at=4.1, settled_at=4.2, verdict="succeeded"),
    ]
    history.rows[1].stall_count, history.rows[1].attempt = 1, 2
    history.faults = [Fault("kill_worker", began_at=5.5, ended_at=6.0, pid=10)]
    history.rows[3].name = "book"
    history.effects = {3: [1]}
    history.rows[4] = row(4, None, name="tick")
    history.slots = [("tick", "00:00:01", 4)]
    try_again(history)
    hold_a_key(history)
    use_up_limits(history)
    cancel(history)
    return history


def try_again(history: History) -> None:
    """Job 20 comes to an error, waits, and succeeds."""
    put(history, 20, at=30.0)
    history.rows[20].attempt, history.rows[20].error_count = 2, 1
    run(history, 20, 30.2, 30.3, verdict="scheduled").has_returned = False
    run(history, 20, 30.6, 30.7, attempt=2)


def hold_a_key(history: History) -> None:
    """Job 30 has the key, somebody is told so, and when it has ended job 31 has it."""
    for job_id, at in ((30, 40.0), (31, 42.0)):
        put(history, job_id, at=at).unique = "u"
        run(history, job_id, at + 0.5, at + 1)
    history.calls["double"] = Call("double", at=40.6, acked_at=40.7, unique="u", duplicate_of=30)


def use_up_limits(history: History) -> None:
    """Two pairs at once, and another after them; six at a pace, and another when two seconds are over."""
    for job_id, at in ((40, 50.0), (41, 50.1), (42, 51.1)):
        put(history, job_id, at=at, name="pair")
        run(history, job_id, at + 0.2, at + 1.0)
    for number in range(7):
        put(history, 50 + number, at=55.0, name="pace")
        at = 55.2 if number < 6 else 57.3
        run(history, 50 + number, at, at + 0.01)
        history.rows[50 + number].claimed_at = 1e9 + at
        history.takes.append(Take("pace", at, pid=10))


def cancel(history: History) -> None:
    """Job 60 never starts; job 61 is stopped, and job 62 in the moment between its claim and its start."""
    for job_id, answer in ((60, "cancelled"), (61, "requested"), (62, "requested")):
        put(history, job_id, at=70.0, state="cancelled")
        history.cancels.append(Cancel(job_id, 70.5, 70.6, answer))
    history.rows[60].attempt = 0
    run(history, 61, 70.3, 70.8, verdict="cancelled")
    run(history, 62, 70.7, 70.8, verdict="cancelled")


def put(history: History, job_id: int, *, at: float, name: str = "work", state: str = "succeeded") -> Call:
    key = f"k{job_id}"
    history.rows[job_id] = row(job_id, key, name=name, state=state)
    call = history.calls[key] = Call(key, at, job_id=job_id, acked_at=at + 0.1)
    return call


def run(
    history: History,
    job_id: int,
    began_at: float,
    ended_at: float,
    *,
    attempt: int = 1,
    verdict: str = "succeeded",
) -> Run:
    name = history.rows[job_id].name
    found = Run(job_id, attempt, None, 10, began_at, ended_at, ended_at + 0.05, verdict, name)
    history.runs.append(found)
    return found


def run_of(history: History, job_id: int) -> Run:
    return [each for each in history.runs if each.job_id == job_id][-1]


def test_a_good_history_is_good() -> None:
    assert judge(good()) == []


def lose(history: History) -> None:
    del history.rows[2]


def leave(history: History) -> None:
    history.rows[2].state = "running"


def succeed_without_a_run(history: History) -> None:
    history.runs = [run for run in history.runs if run.job_id != 2]


def appear(history: History) -> None:
    history.rows[9] = row(9, "k9")


def double(history: History) -> None:
    history.rows[9] = row(9, "k2")


def overlap_without_a_fault(history: History) -> None:
    history.faults = []


def overlap_after_another_fault(history: History) -> None:
    history.faults[0].pid = 12


def overlap_and_count_both(history: History) -> None:
    history.runs[0].verdict = "succeeded"


def run_at_once_in_a_group(history: History) -> None:
    history.runs[2].began_at = 9.2


def run_after_the_end(history: History) -> None:
    history.runs.append(Run(3, 2, None, pid=10, began_at=20.0, ended_at=20.1))


def end_twice(history: History) -> None:
    history.runs.append(
        Run(3, 2, None, pid=10, began_at=4.15, ended_at=4.16, settled_at=4.17, verdict="failed")
    )


def end_by_one_that_was_lost(history: History) -> None:
    history.rows[1].attempt = 1


def end_otherwise(history: History) -> None:
    history.rows[2].state = "failed"


def start_twice(history: History) -> None:
    history.runs[1].attempt = 1


def count_down(history: History) -> None:
    history.runs[0].attempt = 3


def err_too_often(history: History) -> None:
    history.rows[2].error_count = 4


def stall_too_often(history: History) -> None:
    history.rows[2].stall_count = 4


def overtake(history: History) -> None:
    history.rows[1].stall_count = 0
    history.runs[2].began_at, history.runs[2].ended_at = 4.5, 4.6


def write_twice(history: History) -> None:
    history.effects[3] = [1, 2]


def write_nothing(history: History) -> None:
    history.effects = {}


def write_as_another(history: History) -> None:
    history.effects[3] = [2]


def write_and_fail(history: History) -> None:
    history.rows[3].state = history.runs[3].verdict = "failed"


def dawdle(history: History) -> None:
    history.faults = history.faults[1:]
    del history.runs[0]
    late = run_of(history, 3)
    late.began_at, late.ended_at, late.settled_at = 30.0, 30.1, 30.2


def leave_a_lock(history: History) -> None:
    history.remains = ["advisory lock of 7"]


def tick_twice(history: History) -> None:
    history.rows[5] = row(5, None, name="tick")
    history.slots.append(("tick", "00:00:01", 5))


def tick_once_for_two(history: History) -> None:
    history.slots.append(("tick", "00:00:02", 4))


def lose_a_tick(history: History) -> None:
    del history.rows[4]


def tick_too_often(history: History) -> None:
    history.life_secs = 1.0
    history.rows |= {number: row(number, None, name="tick") for number in range(100, 103)}


def try_again_at_once(history: History) -> None:
    run_of(history, 20).began_at = 30.35


def err_more_often_than_the_row_knows(history: History) -> None:
    for number in range(3):
        run(history, 20, 31.0 + number, 31.1 + number, attempt=3 + number, verdict="scheduled")


def fail_too_early(history: History) -> None:
    history.rows[20].state, history.rows[20].reason = "failed", "error"


def succeed_by_an_error(history: History) -> None:
    run_of(history, 20).has_returned = False


def hold_a_key_with_another(history: History) -> None:
    history.calls["k31"].acked_at = 40.8


def hold_a_key_by_running(history: History) -> None:
    history.calls["k31"].acked_at = None
    run_of(history, 31).began_at = 40.8


def hold_a_key_until_cancelled(history: History) -> None:
    history.rows[30].state = "cancelled"
    history.cancels.append(Cancel(30, 42.4, 42.5, "cancelled"))


def name_one_that_has_ended(history: History) -> None:
    history.calls["double"].at = 41.2


def name_one_that_was_cancelled(history: History) -> None:
    history.cancels.append(Cancel(30, 40.1, 40.2, "cancelled"))


def name_one_of_another_key(history: History) -> None:
    history.calls["double"].duplicate_of = 1


def run_three_pairs(history: History) -> None:
    run_of(history, 42).began_at = 50.9


def run_three_pairs_of_which_one_is_killed(history: History) -> None:
    killed = run_of(history, 41)
    killed.pid, killed.ended_at, killed.settled_at, killed.verdict = 12, None, None, None
    history.faults.append(Fault("kill_worker", 51.5, 51.6, pid=12))
    run(history, 40, 51.2, 51.45, attempt=2)


def pace_too_fast(history: History) -> None:
    history.rows[56].claimed_at = 1e9 + 57.1


def pace_too_fast_by_those_who_took(history: History) -> None:
    history.takes[-1].at = 56.0


def cancel_in_vain(history: History) -> None:
    history.rows[60].state = "succeeded"


def cancel_by_nobody(history: History) -> None:
    history.cancels = [each for each in history.cancels if each.job_id != 61]


def run_when_cancelled(history: History) -> None:
    run(history, 60, 71.0, 71.1)


def run_when_ended(history: History) -> None:
    history.cancels[0].answer = "ended"
    run(history, 60, 71.0, 71.1)


def try_again_when_asked_to_stop(history: History) -> None:
    run_of(history, 61).verdict = "scheduled"
    run(history, 61, 71.1, 71.2, attempt=2)


def begin_twice_when_asked_to_stop(history: History) -> None:
    run_of(history, 62).verdict = "scheduled"
    run(history, 62, 71.1, 71.2, attempt=2)


def go_on_when_asked_to_stop(history: History) -> None:
    run_of(history, 61).ended_at = 90.0


@pytest.mark.parametrize(
    ("harm", "rule"),
    [
        (lose, "no_loss"),
        (leave, "no_loss"),
        (succeed_without_a_run, "no_loss"),
        (appear, "no_phantom"),
        (double, "no_phantom"),
        (overlap_without_a_fault, "one_at_a_time"),
        (overlap_after_another_fault, "one_at_a_time"),
        (overlap_and_count_both, "one_at_a_time"),
        (run_at_once_in_a_group, "one_at_a_time"),
        (run_after_the_end, "nothing_after_the_end"),
        (end_twice, "nothing_after_the_end"),
        (end_by_one_that_was_lost, "nothing_after_the_end"),
        (end_otherwise, "nothing_after_the_end"),
        (start_twice, "bounded_attempts"),
        (count_down, "bounded_attempts"),
        (err_too_often, "bounded_attempts"),
        (stall_too_often, "bounded_attempts"),
        (overtake, "order_in_groups"),
        (write_twice, "effects_once"),
        (write_as_another, "effects_once"),
        (write_nothing, "effects_once"),
        (write_and_fail, "effects_once"),
        (dawdle, "in_time"),
        (leave_a_lock, "nothing_remains"),
        (tick_twice, "slots_kept"),
        (tick_once_for_two, "slots_kept"),
        (lose_a_tick, "slots_kept"),
        (tick_too_often, "slots_kept"),
        (try_again_at_once, "retries_as_declared"),
        (err_more_often_than_the_row_knows, "retries_as_declared"),
        (fail_too_early, "retries_as_declared"),
        (succeed_by_an_error, "retries_as_declared"),
        (hold_a_key_with_another, "keys_kept"),
        (hold_a_key_by_running, "keys_kept"),
        (hold_a_key_until_cancelled, "keys_kept"),
        (name_one_that_has_ended, "keys_kept"),
        (name_one_that_was_cancelled, "keys_kept"),
        (name_one_of_another_key, "keys_kept"),
        (run_three_pairs, "concurrency_kept"),
        (run_three_pairs_of_which_one_is_killed, "concurrency_kept"),
        (pace_too_fast, "rates_kept"),
        (pace_too_fast_by_those_who_took, "rates_kept"),
        (cancel_in_vain, "cancels_hold"),
        (cancel_by_nobody, "cancels_hold"),
        (run_when_cancelled, "cancels_hold"),
        (run_when_ended, "cancels_hold"),
        (try_again_when_asked_to_stop, "cancels_hold"),
        (begin_twice_when_asked_to_stop, "cancels_hold"),
        (go_on_when_asked_to_stop, "cancels_hold"),
    ],
)
def test_a_bad_history_is_found(harm: Callable[[History], None], rule: str) -> None:
    history = good()
    harm(history)
    assert rule in {finding.partition(":")[0] for finding in judge(history)}


def test_every_rule_is_provoked() -> None:
    (mark,) = test_a_bad_history_is_found.pytestmark  # type: ignore[attr-defined]
    assert {rule for _, rule in mark.args[1]} == {rule.__name__ for rule in RULES}


def test_journals_become_a_history(tmp_path: Path) -> None:
    """Also when a process was killed in the middle of a line."""
    journal = Journal(tmp_path, "worker")
    journal.note("call", key="k", group="g", is_plain=True, unique="u")
    journal.note("ack", key="k", job_id=7, is_duplicate=False)
    journal.note("call", key="l", group=None, is_plain=False, unique="u")
    journal.note("ack", key="l", job_id=7, is_duplicate=True)
    journal.note("take", name="pace")
    journal.note("start", job_id=7, attempt=1, name="single", group="g")
    journal.note("end", job_id=7, attempt=1, has_returned=True)
    journal.note("told", job_id=7, attempt=1, verdict="succeeded")
    journal.note("start", job_id=9, attempt=2, name="work", group=None)
    journal.note("ask", job_id=9)
    journal.note("ask", job_id=9)
    journal.note("answer", job_id=9, answer="requested")
    journal.note("end", job_id=9, attempt=2, has_returned=False)
    journal.note("stopped", job_id=9)
    journal.note("fault", kind="kill_worker", began_at=0.0, target=3)
    journal.note("tick", name="chime", slot="now", job_id=8)
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("a") as file:
        file.write('{"word": "star')
    history = read_history(tmp_path, LEASE_SECS)
    assert history.calls["k"].job_id == 7
    assert (history.calls["l"].job_id, history.calls["l"].duplicate_of) == (None, 7)
    good, stopped = history.runs
    assert (good.job_id, good.group, good.name, good.verdict) == (7, "g", "single", "succeeded")
    assert good.ended_at is not None
    assert good.settled_at is not None
    assert good.began_at <= good.ended_at <= good.settled_at
    assert (stopped.has_returned, stopped.verdict) == (False, "cancelled")
    assert [(each.job_id, each.answer) for each in history.cancels] == [(9, None), (9, "requested")]
    assert [(fault.kind, fault.pid) for fault in history.faults] == [("kill_worker", 3)]
    assert [take.name for take in history.takes] == ["pace"]
    assert history.slots == [("chime", "now", 8)]
