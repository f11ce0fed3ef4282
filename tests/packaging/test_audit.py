"""The audit finds what is reported, and does not take silence for good news."""

from __future__ import annotations

from typing import Any

import pytest

from tests.packaging.audit import findings, needed

GOOD = {"name": "Click", "version": "8", "vulns": []}
BAD = {"name": "click", "version": "8", "vulns": [{"id": "PYSEC-1", "fix_versions": ["9"]}]}
SKIPPED = {"name": "click", "skip_reason": "the service does not know it"}


@pytest.mark.parametrize(
    ("reported", "found"),
    [
        ([GOOD], []),
        ([BAD], ["click 8 has PYSEC-1, mended in 9"]),
        ([SKIPPED], ["click 8 was not audited: the service does not know it"]),
        ([], ["click 8 was not audited: not reported"]),
    ],
)
def test_what_a_report_comes_to(reported: list[dict[str, Any]], found: list[str]) -> None:
    assert findings({"click": "8"}, {"dependencies": reported}) == found


def test_all_that_runs_is_audited_and_no_tool() -> None:
    """Also what an extra of a dependency brings, and what a dependency's dependency does."""
    names = set(needed())
    assert {"psycopg", "psycopg-binary", "psycopg-pool", "pydantic-core", "sqlalchemy", "tzdata"} <= names
    assert not {"cuckmq", "pytest", "mypy", "fastapi"} & names
