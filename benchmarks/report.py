"""What was measured, as it grows: values round by round, ratios against goals, and what failed.

It is written to its file after each figure, so that whatever happens later loses nothing.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Figure:
    """One of P1 to P15, while it is measured."""

    id: str
    title: str
    values: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    units: dict[str, str] = field(default_factory=dict[str, str])
    ratios: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failures: dict[str, str] = field(default_factory=dict[str, str])
    secs: float = 0.0

    def note(self, what: str, value: float, unit: str) -> None:
        """Take down a value of one round."""
        self.values.setdefault(what, []).append(value)
        self.units[what] = unit

    def median(self, what: str) -> float | None:
        """Return the median of its rounds, or None if there was none."""
        return statistics.median(self.values[what]) if self.values.get(what) else None

    def best(self, whats: list[str], *, of: Callable[[list[float]], float] = max) -> float | None:
        """Return the best median among these, or None if none was measured."""
        medians = [median for median in map(self.median, whats) if median is not None]
        return of(medians) if medians else None

    def hold(
        self, name: str, value: float | None, to: float | None = 1.0, *, goal: float, at_most: bool = False
    ) -> None:
        """Hold a value, or its ratio to another, against a goal. What was not measured is said to be so."""
        ratio = None if value is None or not to else value / to
        is_met = None if ratio is None else (ratio <= goal if at_most else ratio >= goal)
        self.ratios.append({"name": name, "ratio": ratio, "goal": goal, "at_most": at_most, "is_met": is_met})

    def as_json(self) -> dict[str, Any]:
        """Return it as the file has it."""
        return {
            "id": self.id,
            "title": self.title,
            "measured": {
                what: {
                    "unit": self.units[what],
                    "median": _rounded(statistics.median(values)),
                    "rounds": list(map(_rounded, values)),
                }
                for what, values in self.values.items()
            },
            "ratios": [{**each, "ratio": _rounded(each["ratio"])} for each in self.ratios],
            "failures": self.failures,
            "secs": round(self.secs, 1),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


@dataclass
class Report:
    """All of a run."""

    path: Path
    head: dict[str, Any]
    figures: list[Figure] = field(default_factory=list[Figure])

    def write(self) -> None:
        """Write what there is so far, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**self.head, "figures": [each.as_json() for each in self.figures]}, indent=2)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(text + "\n")
        unfinished.replace(self.path)
