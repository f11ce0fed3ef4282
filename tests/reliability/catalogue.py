"""The catalogue of faults: docs/faults.md, read, proven and filled in.

A test that plays a fault says so with `@pytest.mark.fault("B6")`, and tells how long recovery took with the
fixture `recovered`, which holds it to the bound that the page promises. `make faults` runs them all, the long
ones (`@pytest.mark.full`) too, and writes what was measured into the page.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "faults.md"
JOURNAL: Final = "CUCKMQ_RECOVERIES"
"""Names the file to which `recovered` adds a line for each measurement."""

_ROW: Final = re.compile(r"^\| ([A-I]\d{1,2}) \|(.*)\|$", re.MULTILINE)


class Row(NamedTuple):
    """A row of the page."""

    id: str
    fault: str
    holds: str
    bound: str
    measured: str

    @property
    def bound_secs(self) -> float | None:
        """How long recovery may take; None where nothing has to recover."""
        return None if self.bound == "-" else float(self.bound.removesuffix(" s"))


def read_rows(page: str) -> dict[str, Row]:
    """Read the rows of the page by id."""
    rows = [Row(name, *(cell.strip() for cell in cells.split("|"))) for name, cells in _ROW.findall(page)]
    doubled = {row.id for row in rows if sum(each.id == row.id for each in rows) > 1}
    if doubled:
        raise ValueError(f"rows told twice: {sorted(doubled)}")
    return {row.id: row for row in rows}


def find_proofs(folder: Path) -> dict[str, list[str]]:
    """Find the tests below a folder by the faults that they play."""
    proofs: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for name, row in _faults_in(path.read_text("utf-8")):
            proofs.setdefault(row, []).append(f"{path.relative_to(folder.parent)}::{name}")
    return proofs


def _faults_in(text: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                    yield from ((node.name, str(ast.literal_eval(row))) for row in mark.args)


def note(row_id: str, secs: float) -> None:
    """Hold a recovery to the bound of its row, and write down how long it took."""
    row = read_rows(PAGE.read_text("utf-8"))[row_id]
    if row.bound_secs is None:
        raise ValueError(f"{row_id} has no bound in {PAGE.name}")
    if JOURNAL in os.environ:
        with Path(os.environ[JOURNAL]).open("a") as journal:
            journal.write(json.dumps([row_id, secs]) + "\n")
    assert secs <= row.bound_secs, f"{row_id}: recovered after {secs:.1f} s, not {row.bound_secs:g} s"


def fill_in(page: str, measured: dict[str, float]) -> str:
    """Write the slowest measurement of each fault into the page; the others keep what they have."""

    def fill(match: re.Match[str]) -> str:
        if match[1] not in measured:
            return match[0]
        *cells, _ = match[2].split("|")
        return f"| {match[1]} |{'|'.join(cells)}| {measured[match[1]]:.1f} s |"

    return _ROW.sub(fill, page)


def main() -> int:
    """Play every fault, and fill in the page; non-zero if a test failed."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "recoveries")
        journal.touch()
        played = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "fault", *sys.argv[1:]],
            env={**os.environ, JOURNAL: str(journal)},
            cwd=ROOT,
            check=False,
        )
        measured: dict[str, float] = {}
        for line in journal.read_text().splitlines():
            row_id, secs = json.loads(line)
            measured[row_id] = max(secs, measured.get(row_id, 0.0))
    PAGE.write_text(fill_in(PAGE.read_text("utf-8"), measured), "utf-8")
    return played.returncode


if __name__ == "__main__":
    sys.exit(main())
