"""Measure P1 to P15, ours beside the peers, and write down what came of it.

    python -m benchmarks                     all of it: about twenty minutes
    python -m benchmarks --quick             ratios only, without peers, in less than a minute
    python -m benchmarks --only P1,P3        some of it
    python -m benchmarks --redraw            the table and the charts once more, from the last results

Results go to benchmarks/results/ after each figure. A full run also draws docs/performance.md and its charts.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Final

from benchmarks import figures, page
from benchmarks.machine import describe_machine, describe_server
from benchmarks.peers.roster import OURS, PEERS
from benchmarks.place import server
from benchmarks.report import Figure, Report
from benchmarks.run import Run

RESULTS: Final = Path(__file__).parent / "results"
QUICK_FIGURES: Final = ("P1", "P3", "P4", "P5", "P8", "P15")
QUICK_SCALE: Final = 0.15
METHOD: Final = (
    "A fresh database for each measurement, dropped after it; vacuum analyze and a checkpoint before; fsync "
    'and synchronous_commit on. Payload {"n": 1}; every handler, in every system, writes 16 bytes to a file. '
    "Counted from the moment that all worker processes are at work until the database says that nothing is "
    "left. Contestants take turns round by round; a figure is the median of its rounds, and what no goal is "
    "about has one."
)


def modules() -> dict[str, ModuleType]:
    """Find the figures, by id and in order."""
    found = sorted(each.name for each in pkgutil.iter_modules(figures.__path__))
    return {f"P{int(name[1:3])}": importlib.import_module(f"benchmarks.figures.{name}") for name in found}


def main() -> None:
    """Do what the command line says."""
    options = _options()
    if not options.redraw:
        with server(options.dsn) as dsn:
            measure(options, dsn)
    if options.redraw or options.is_full:
        page.draw(RESULTS / "full.json")


def measure(options: argparse.Namespace, dsn: str) -> None:
    """Measure figure by figure; whatever fails is written down, and the next is measured."""
    peers = () if options.no_peers else PEERS
    report = Report(
        options.out,
        {
            "began_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "scale": options.scale,
            "rounds": options.rounds,
            "method": METHOD,
            "machine": describe_machine(),
            "server": describe_server(dsn),
            "systems": {
                each.name: {
                    "version": each.version,
                    "best": each.best,
                    "default": each.default,
                    "promise": each.promise,
                    "is_on_postgres": each.remaining is not None,
                }
                for each in (OURS, *peers)
            },
        },
    )
    for name, module in modules().items():
        if options.only and name not in options.only:
            continue
        figure = Figure(name, module.TITLE)
        report.figures.append(figure)
        began_at = time.monotonic()
        try:
            module.measure(Run(dsn, options.scale, options.rounds, peers, figure))
        except Exception as error:  # noqa: BLE001 - whatever it was, the others are measured
            figure.failures["all of it"] = f"{type(error).__name__}: {error}"
        figure.secs = time.monotonic() - began_at
        report.write()
        print("\n".join(page.lines_of(figure.as_json())), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dsn", help="a server to use; an embedded one by default")
    parser.add_argument("--quick", action="store_true", help="small, without peers")
    parser.add_argument(
        "--only", type=lambda text: text.upper().split(","), help="some figures, such as P1,P3"
    )
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument("--scale", type=float, help="1 for the sizes that the goals are about")
    parser.add_argument("--rounds", type=int, help="how often each takes its turn")
    parser.add_argument("--out", type=Path, help="where to write the results")
    parser.add_argument("--redraw", action="store_true", help="measure nothing, draw the last full results")
    options = parser.parse_args()
    unknown = set(options.only or ()) - set(modules())
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}: figures are {', '.join(modules())}")
    options.is_full = not (options.quick or options.only or options.no_peers or options.scale or options.out)
    if options.quick:
        options.no_peers = True
        options.only = options.only or list(QUICK_FIGURES)
    options.scale = options.scale or (QUICK_SCALE if options.quick else 1.0)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.out = options.out or RESULTS / ("full.json" if options.is_full else "part.json")
    return options


if __name__ == "__main__":
    main()
