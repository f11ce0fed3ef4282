"""The command: `python -m tests.reliability.soak --help`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.reliability.soak.mutants import MUTANTS
from tests.reliability.soak.play import play


def main() -> int:
    """Play a soak; 0 when the judge found nothing."""
    parser = argparse.ArgumentParser(description="Work under faults, and be judged.")
    parser.add_argument("--secs", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=None, help="of the schedule of faults")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="take a promise out of the queue")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    # The server is taken away again and again, and the pool would tell of each time.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    folder = Path(tempfile.mkdtemp(prefix="cuckmq-soak-"))
    print(f"seed {seed}, {options.secs:g} s, journals in {folder}", flush=True)
    findings = asyncio.run(play(folder, secs=options.secs, seed=seed, mutant=options.mutant))
    for finding in findings[:50]:
        print(finding)
    print(f"seed {seed}: {len(findings)} findings")
    if findings:
        print(f"the journals are in {folder}; the same faults again: --seed {seed} --secs {options.secs:g}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
