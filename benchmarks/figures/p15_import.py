"""P15: how long it takes to import the library, and to see the help of its command."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.peers.systems import ROOT
from benchmarks.run import Run

TITLE = "import cuckmq, cuckmq --help"
NUM_ROUNDS = 5


def secs(*arguments: str) -> float:
    """Run Python; the seconds that it took."""
    began_at = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began_at


def measure(run: Run) -> None:
    """Measure."""
    secs("-c", "import cuckmq")  # once for the bytecode
    run.take_turns(
        {
            "python -c pass": lambda: secs("-c", "pass"),
            "import cuckmq": lambda: secs("-c", "import cuckmq"),
            "from cuckmq import Context, Worker": lambda: secs("-c", "from cuckmq import Context, Worker"),
            "cuckmq --help": lambda: secs("-m", "cuckmq", "--help"),
        },
        "s",
        num_rounds=NUM_ROUNDS,
    )
    figure = run.figure
    figure.hold("import cuckmq in s", figure.median("import cuckmq"), goal=0.25, at_most=True)
    figure.hold("cuckmq --help in s", figure.median("cuckmq --help"), goal=0.35, at_most=True)
