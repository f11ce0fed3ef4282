"""mypy --strict and pyright accept correct use, and refuse each mistake where it stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
ACCEPTED, REFUSED = FOLDER / "accepted.py", FOLDER / "refused.py"


def mypy_lines(file: Path) -> dict[int, str]:
    """The lines that mypy finds fault with, and what it says."""
    program = [sys.executable, "-m", "mypy", "--strict", "--no-color-output", "--no-error-summary", str(file)]
    run = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stdout + run.stderr
    faults = re.findall(rf"^\S*{file.name}:(\d+): error: (.*)$", run.stdout, re.MULTILINE)
    assert len(faults) == run.stdout.count(": error: "), run.stdout
    return {int(line): message for line, message in faults}


def pyright_lines(file: Path) -> dict[int, str]:
    """The lines that pyright finds fault with, and what it says."""
    program = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", str(file)]
    run = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stdout + run.stderr
    faults = json.loads(run.stdout)["generalDiagnostics"]
    return {fault["range"]["start"]["line"] + 1: fault["message"] for fault in faults}


CHECKERS = pytest.mark.parametrize("faults_of", [mypy_lines, pyright_lines], ids=["mypy", "pyright"])


@CHECKERS
def test_correct_use_is_accepted_and_its_types_are_inferred(faults_of) -> None:
    """B2: payload and result types are known from the work function."""
    assert faults_of(ACCEPTED) == {}


@CHECKERS
def test_every_mistake_is_refused_and_nothing_else(faults_of) -> None:
    """B2, D2: a wrong payload, a missing one, a misspelt option, a repeat with a payload."""
    marked = {
        number
        for number, line in enumerate(REFUSED.read_text().splitlines(), start=1)
        if line.endswith("# refused")
    }
    faults = faults_of(REFUSED)
    missed = sorted(marked - set(faults))
    unasked = {line: message for line, message in faults.items() if line not in marked}
    assert (missed, unasked) == ([], {})
    assert len(marked) > 40
