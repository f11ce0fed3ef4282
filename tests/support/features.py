"""Go from the rows of docs/features.md to the tests that prove them: `make features`.

A test proves a row by naming it in the first words of its docstring: `E13, E16: before all that came
later`. Ids that stand elsewhere do not count, nor do ranges: each row is named by itself.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NOT_YET: Final = frozenset({"H8"})
"""Rows that may go without a test for now."""

_ROW: Final = re.compile(r"^\| ([A-N]\d{1,2}) \|", re.MULTILINE)
_HEAD: Final = re.compile(r"[A-N]\d{1,2}(?:, [A-N]\d{1,2})*(?=:|$)")


def read_rows(page: str) -> list[str]:
    """Read the ids of the page's rows, in their order."""
    return _ROW.findall(page)


def rows_named(docstring: str | None) -> list[str]:
    """Read which rows a test says that it proves."""
    head = _HEAD.match(docstring or "")
    return [] if head is None else head[0].split(", ")


def tests_in(text: str) -> Iterator[tuple[str, list[str]]]:
    """Find the tests of a module, each with the rows that it names."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            yield node.name, rows_named(ast.get_docstring(node))


def find_proofs(folder: Path) -> dict[str, list[str]]:
    """Find the tests below a folder, by the rows that they name."""
    proofs: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for name, rows in tests_in(path.read_text("utf-8")):
            for row in rows:
                proofs.setdefault(row, []).append(f"{path.relative_to(folder.parent)}::{name}")
    return proofs


def find_faults(rows: Sequence[str], proofs: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which rows have no test, and which tests name a row that is not there."""
    unproven = [f"{row}: no test names it" for row in rows if row not in proofs and row not in NOT_YET]
    unknown = [
        f"{row}: no such row, named by {test}" for row in proofs if row not in rows for test in proofs[row]
    ]
    return unproven + unknown


def main() -> int:
    """Print each row with its tests; 1 if any row has none."""
    rows = read_rows((ROOT / "docs" / "features.md").read_text("utf-8"))
    proofs = find_proofs(ROOT / "tests")
    for row in rows:
        print(row)
        for test in proofs.get(row, []):
            print(f"    {test}")
    faults = find_faults(rows, proofs)
    print(f"\n{len(rows)} rows, {sum(row in proofs for row in rows)} with tests")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
