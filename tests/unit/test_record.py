"""What is kept of an exception, whatever the exception is like."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from cuckmq._runtime.record import MAX_MESSAGE_LENGTH, MAX_TRACEBACK_LENGTH, error_record, message_of


def record_of(error: BaseException) -> dict[str, Any]:
    text = error_record(error, 3)
    assert "\\u0000" not in text
    record: dict[str, Any] = json.loads(text)
    assert record["attempt"] == 3
    assert len(record["message"]) <= MAX_MESSAGE_LENGTH
    assert len(record["traceback"]) <= MAX_TRACEBACK_LENGTH
    assert datetime.fromisoformat(record["at"]).tzinfo is not None
    return record


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - that is how an exception gets its traceback
        return caught


def test_type_message_and_place_are_kept() -> None:
    record = record_of(raised(ValueError("no such customer")))
    assert (record["type"], record["message"]) == ("ValueError", "no such customer")
    assert record["traceback"].startswith("Traceback (most recent call last)")
    assert "in raised" in record["traceback"]


def test_an_exception_never_raised_has_no_traceback() -> None:
    assert record_of(ValueError("x"))["traceback"] == ""


@pytest.mark.fault("F3")
def test_a_message_of_50_megabytes_is_cut() -> None:
    record = record_of(raised(ValueError("x" * 50_000_000)))
    assert record["message"] == "x" * MAX_MESSAGE_LENGTH
    assert "in raised" in record["traceback"]


@pytest.mark.parametrize("bad", ["\0", "\ud800", "\udfff\0"])
def test_what_postgres_cannot_keep_is_replaced(bad: str) -> None:
    record = record_of(raised(ValueError(f"before{bad}after")))
    assert record["message"].startswith("before")
    assert record["message"].endswith("after")
    json.dumps(record, ensure_ascii=False).encode()


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Exiting(Exception):
    def __str__(self) -> str:
        raise SystemExit(1)


class Wordless(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307 - on purpose


@pytest.mark.parametrize(
    ("error", "cause"),
    [(Unprintable(), "RuntimeError"), (Exiting(), "SystemExit"), (Wordless(), "TypeError")],
)
def test_a_message_that_cannot_be_made_is_told_as_such(error: Exception, cause: str) -> None:
    record = record_of(raised(error))
    assert record["type"] == type(error).__name__
    assert record["message"] == f"(its message cannot be made: {cause})"


def test_exceptions_that_cause_each_other_in_a_circle() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert record_of(raised(one))["message"] == "one"


def test_a_chain_of_ten_thousand_causes() -> None:
    error = ValueError("0")
    for number in range(1, 10_000):
        another = ValueError(str(number))
        another.__cause__ = error
        error = another
    assert record_of(raised(error))["message"] == "9999"


def test_a_group_shows_its_members() -> None:
    group = ExceptionGroup("several", [ValueError("one"), ExceptionGroup("inner", [KeyError("two")])])
    record = record_of(raised(group))
    assert record["type"] == "ExceptionGroup"
    assert record["message"] == "several (2 sub-exceptions)"
    assert "ValueError: one" in record["traceback"]
    assert "KeyError: 'two'" in record["traceback"]


def test_the_message_alone_for_the_log() -> None:
    assert message_of(ValueError("a\0b")) == "a\ufffdb"
