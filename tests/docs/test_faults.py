"""Every row of the catalogue of faults is played by a test, and every test's fault has a row."""

from __future__ import annotations

from pathlib import Path

from tests.reliability.catalogue import PAGE, ROOT, fill_in, find_proofs, read_rows

SOME = """
| fault | what happens | what holds | bound | measured |
|---|---|---|---|---|
| A1 | kill -9 | it runs again | 8 s | - |
| B6 | failover | none is lost | - | - |
"""


def test_rows_and_tests_agree():
    rows, proofs = read_rows(PAGE.read_text("utf-8")), find_proofs(ROOT / "tests")
    assert sorted(set(rows) - set(proofs)) == [], "rows that no test plays"
    assert sorted(set(proofs) - set(rows)) == [], "faults that have no row"


def test_every_bound_was_measured_and_kept():
    rows = [row for row in read_rows(PAGE.read_text("utf-8")).values() if row.bound_secs is not None]
    unmeasured = [row.id for row in rows if row.measured == "-"]
    assert unmeasured == [], "play them with `make faults`"
    slow = [row.id for row in rows if float(row.measured.removesuffix(" s")) > (row.bound_secs or 0)]
    assert slow == []


def test_a_missing_or_unknown_fault_is_seen(tmp_path: Path):
    (tmp_path / "test_some.py").write_text('@pytest.mark.fault("A1", "C9")\nasync def test_it(): ...\n')
    assert find_proofs(tmp_path) == {
        "A1": [f"{tmp_path.name}/test_some.py::test_it"],
        "C9": [f"{tmp_path.name}/test_some.py::test_it"],
    }
    assert list(read_rows(SOME)) == ["A1", "B6"]


def test_what_was_measured_is_filled_in():
    assert read_rows(SOME)["A1"].bound_secs == 8
    assert read_rows(SOME)["B6"].bound_secs is None
    filled = read_rows(fill_in(SOME, {"A1": 4.26}))
    assert filled["A1"].measured == "4.3 s"
    assert filled["B6"].measured == "-"
