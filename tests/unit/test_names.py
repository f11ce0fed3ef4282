"""What may be called what."""

from __future__ import annotations

import pytest

from cuckmq.errors import InvalidName
from cuckmq.names import check_job_group, check_name, check_schema_name


@pytest.mark.parametrize("name", ["_cuckmq", "_job", "Queue", "q", "a1_", "x" * 48, "PG", "p_g"])
def test_plain_identifiers_are_schema_names(name: str) -> None:
    assert check_schema_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "1a", "a-b", "a b", 'a"b', "a'b", "a;drop", "a.b", "a\n", "a\0", "$user", "schéma", "x" * 49,
        None, 5, b"a", ["a"],
    ],
)  # fmt: skip
def test_anything_else_is_refused_as_a_schema_name(name: object) -> None:
    with pytest.raises(InvalidName, match="use a letter or underscore"):
        check_schema_name(name)


@pytest.mark.parametrize("name", ["pg_queue", "PG_queue", "pg_"])
def test_names_that_postgres_keeps_are_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="PostgreSQL keeps pg_ for itself"):
        check_schema_name(name)


@pytest.mark.parametrize(
    "name", ["PING", "a b", "mail/eu", "größe", "仕事", "🐦", "x" * 200, "it's", 'a"b', "%s {}"]
)
def test_printable_text_is_a_name(name: str) -> None:
    assert check_name("job", name) == name
    assert check_job_group(name) == name


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "has 0 characters"),
        ("x" * 201, "has 201 characters"),
        ("a\0b", "control character"),
        ("a\nb", "control character"),
        ("a\x7fb", "control character"),
        ("a\x85b", "control character"),
        ("a\ud800b", "lone surrogate"),
        (None, "is a string, not None"),
        (7, "is a string, not 7"),
        (b"PING", "is a string, not b'PING'"),
    ],
)
def test_names_that_are_refused_and_why(name: object, complaint: str) -> None:
    with pytest.raises(InvalidName, match=complaint):
        check_name("channel", name)


def test_a_refusal_says_what_kind_of_name_it_is_and_cuts_long_ones() -> None:
    with pytest.raises(InvalidName) as caught:
        check_name("channel", "x" * 100_000)
    assert str(caught.value).startswith("channel 'xxx")
    assert len(str(caught.value)) < 200


def test_a_group_may_have_500_characters_and_no_more() -> None:
    assert check_job_group("x" * 500)
    with pytest.raises(InvalidName, match="501 characters: allowed are 1 to 500"):
        check_job_group("x" * 501)
