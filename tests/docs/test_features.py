"""The page of features has every row, and the way from row to test is what it seems."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.support.features import ROOT, find_faults, find_proofs, read_rows, rows_named

PAGE = (ROOT / "docs" / "features.md").read_text("utf-8")
NUM_ROWS: Final = {
    "A": 7, "B": 7, "C": 14, "D": 7, "E": 35, "F": 10, "G": 7,
    "H": 8, "I": 18, "J": 6, "K": 3, "L": 4, "M": 4, "N": 5,
}  # fmt: skip


def test_the_page_has_every_row_once_and_in_order() -> None:
    expected = [f"{letter}{number}" for letter, num in NUM_ROWS.items() for number in range(1, num + 1)]
    assert len(expected) == 135
    assert read_rows(PAGE) == expected


def test_every_test_names_rows_that_are_there() -> None:
    rows = read_rows(PAGE)
    assert [fault for fault in find_faults(rows, find_proofs(ROOT / "tests")) if "no such row" in fault] == []


@pytest.mark.parametrize(
    ("docstring", "rows"),
    [
        ("E13, E16: before all that came later.", ["E13", "E16"]),
        ("A3", ["A3"]),
        ("E1-E4: a range names nobody.", []),
        ("Like E13: said in passing.", []),
        ("E130: there are not that many.", []),
        ("E13 is mentioned.", []),
        (None, []),
    ],
)
def test_a_row_is_named_by_itself_and_first(docstring: str | None, rows: list[str]) -> None:
    assert rows_named(docstring) == rows


def test_a_row_without_a_test_is_a_fault(tmp_path: Path) -> None:
    """The command fails for it, and for a test that names a row that is not there; H8 may wait."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text(
        'async def test_it():\n    """E1, Z9: no."""\n\ndef test_that():\n    """E2, B9: yes."""\n'
        '\ndef helper():\n    """E3: helpers prove nothing."""\n',
        "utf-8",
    )
    proofs = find_proofs(tmp_path / "tests")
    assert proofs == {"E2": ["tests/test_one.py::test_that"], "B9": ["tests/test_one.py::test_that"]}
    assert find_faults(["E2", "E3", "H8"], proofs) == [
        "E3: no test names it",
        "B9: no such row, named by tests/test_one.py::test_that",
    ]
