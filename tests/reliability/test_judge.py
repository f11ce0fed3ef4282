"""The judge of the soak passes a good history, and finds each thing that can be wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.soak.history import Call, Fault, History, Journal, Row, Run, read_history
from tests.reliability.soak.judge import RULES, judge

LEASE_SECS = 2.0


def row(
    job_id: int, key: str | None, *, name: str = "work", state: str = "succeeded", attempt: int = 1
) -> Row:
    return Row(job_id, key, name, state, attempt, 0, 0, num_attempts=3, num_stalls=2)


def good() -> History:
    """Two jobs of a group one after the other, one of them again after its worker was killed; an effect."""
    history = History(LEASE_SECS)
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
    history.effects = {3: 1}
    history.rows[4] = row(4, None, name="tick")
    history.slots = [("00:00:01", 4)]
    return history


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
    history.effects[3] = 2


def write_nothing(history: History) -> None:
    history.effects = {}


def write_and_fail(history: History) -> None:
    history.rows[3].state = history.runs[3].verdict = "failed"


def dawdle(history: History) -> None:
    history.faults = history.faults[1:]
    del history.runs[0]
    history.runs[-1].began_at, history.runs[-1].ended_at, history.runs[-1].settled_at = 30.0, 30.1, 30.2


def leave_a_lock(history: History) -> None:
    history.remains = ["advisory lock of 7"]


def tick_twice(history: History) -> None:
    history.rows[5] = row(5, None, name="tick")
    history.slots.append(("00:00:01", 5))


def lose_a_tick(history: History) -> None:
    del history.rows[4]


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
        (write_nothing, "effects_once"),
        (write_and_fail, "effects_once"),
        (dawdle, "in_time"),
        (leave_a_lock, "nothing_remains"),
        (tick_twice, "one_job_a_slot"),
        (lose_a_tick, "one_job_a_slot"),
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
    journal.note("call", key="k", group="g", is_plain=True)
    journal.note("ack", key="k", job_id=7)
    journal.note("start", job_id=7, attempt=1, group="g")
    journal.note("end", job_id=7, attempt=1)
    journal.note("told", job_id=7, attempt=1, verdict="succeeded")
    journal.note("fault", kind="kill_worker", began_at=0.0, target=3)
    journal.note("tick", slot="now", job_id=8)
    (path,) = tmp_path.glob("*.jsonl")
    with path.open("a") as file:
        file.write('{"word": "star')
    history = read_history(tmp_path, LEASE_SECS)
    assert history.calls["k"].job_id == 7
    (run,) = history.runs
    assert (run.job_id, run.group, run.verdict) == (7, "g", "succeeded")
    assert run.ended_at is not None
    assert run.settled_at is not None
    assert run.began_at <= run.ended_at <= run.settled_at
    assert [(fault.kind, fault.pid) for fault in history.faults] == [("kill_worker", 3)]
    assert history.slots == [("now", 8)]
