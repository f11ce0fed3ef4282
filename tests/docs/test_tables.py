"""Tables and pictures in docs/ say what the code says."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

from cuckmq import Context, events
from cuckmq.backoff import DEFAULT_BACKOFF_SECS
from cuckmq.options import JOB_OPTIONS
from cuckmq.state import TRANSITIONS, FailureReason, JobState
from cuckmq.types import UNLIMITED
from tests.docs.pages import ROOT

DOCS = ROOT / "docs"
EVENTS = {
    name: value
    for name, value in inspect.getmembers(events, inspect.isclass)
    if issubclass(value, events.Event) and not value.__subclasses__()
}


def rows_of(page: Path, *heads: str) -> list[list[str]]:
    """The rows of the table of a page that begins with these heads."""
    text = page.read_text("utf-8")
    head = re.search(r"^\| " + r" *\| *".join(map(re.escape, heads)) + r".*$", text, re.MULTILINE)
    assert head is not None, f"{page.name} has no table {heads}"
    lines = text[head.start() :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_states() -> None:
    rows = rows_of(DOCS / "state-machine.md", "from", "to")
    told = {JobState(words(row[0])[0]): {JobState(each) for each in words(row[1])} for row in rows}
    assert told == TRANSITIONS


def test_the_picture_of_states() -> None:
    arrows = re.findall(r"^ +(\w+) --> (\w+)", (DOCS / "state-machine.md").read_text("utf-8"), re.MULTILINE)
    steps = {(before.value, after.value) for before, afters in TRANSITIONS.items() for after in afters}
    assert len(arrows) == len(set(arrows))
    assert set(arrows) == steps


def test_the_ends_in_the_picture_are_the_final_states() -> None:
    ends = re.findall(r"^ +(\w+) --> \[\*\]", (DOCS / "state-machine.md").read_text("utf-8"), re.MULTILINE)
    assert {JobState(end) for end in ends} == {state for state in JobState if state.is_final}


def test_the_table_of_reasons() -> None:
    told = [words(row[0])[0] for row in rows_of(DOCS / "state-machine.md", "reason", "")]
    assert told == [reason.value for reason in FailureReason]


def test_the_table_of_events() -> None:
    """Every class is told, with every field of it, and no other."""
    rows = rows_of(DOCS / "events.md", "event", "told when", "carries")
    assert {words(name)[0]: set(words(carries)) - set(JobState) for name, _, carries in rows} == {
        name: {field.name for field in dataclasses.fields(event)} - {"at"} for name, event in EVENTS.items()
    }


def test_the_twelve_events_of_the_seed() -> None:
    """Each old event has a class that exists, and no two have the same."""
    rows = rows_of(DOCS / "coming-from-typescript-cuckmq.md", "old event", "new class")
    new = [words(row[1])[0] for row in rows]
    assert len(rows) == 12
    assert len(set(new)) == 12
    assert set(new) <= set(EVENTS)


def test_the_proofs_of_guarantees_exist() -> None:
    """Each test that docs/guarantees.md names is there, under that name."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (DOCS / "guarantees.md").read_text("utf-8"))
    assert len(named) > 10
    for path, name in named:
        assert f"def {name}" in (ROOT / path).read_text("utf-8"), f"{path}::{name}"


def test_the_table_of_options() -> None:
    rows = rows_of(DOCS / "quickstart.md", "option", "means", "default")
    assert {words(row[0])[0] for row in rows} == JOB_OPTIONS
    defaults = {words(row[0])[0]: row[2] for row in rows}
    assert float(defaults["backoff"]) == DEFAULT_BACKOFF_SECS


async def test_the_defaults_of_options(context: Context) -> None:
    @context.job(name="PLAIN")
    def plain() -> None: ...

    for name, _, told in rows_of(DOCS / "quickstart.md", "option", "means", "default"):
        option = words(name)[0]
        value = getattr(plain.terms, option, None)
        expected = "none" if value in (None, UNLIMITED) else str(value).removesuffix(".0")
        assert told.strip('`"').replace("nothing", "none") == expected, option
