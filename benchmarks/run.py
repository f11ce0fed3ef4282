"""A run: the options all figures share, and how contestants take turns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers.environment import Missing
from benchmarks.peers.systems import System
from benchmarks.report import Figure


@dataclass
class Run:
    """What a figure is given.

    Attributes:
        dsn: the server.
        scale: how large to measure; 1 is what the goals are about.
        num_rounds: how often each contestant takes its turn.
        peers: who is measured beside us.
        figure: where to take down what is measured.
    """

    dsn: str
    scale: float
    num_rounds: int
    peers: Sequence[System]
    figure: Figure

    def size(self, num: int, *, minimum: int = 1) -> int:
        """Return a number of jobs, scaled."""
        return max(minimum, round(num * self.scale))

    def take_turns(
        self, contestants: Mapping[str, Callable[[], float]], unit: str, *, num_rounds: int | None = None
    ) -> None:
        """Measure each in turn, round by round, so that a noisy minute hits all alike.

        One that fails is named with its reason, and takes no further turn; the others go on.
        """
        self.take_turns_noting(
            {
                name: lambda name=name, measure=measure: self.figure.note(name, measure(), unit)  # type: ignore[misc]
                for name, measure in contestants.items()
            },
            num_rounds=num_rounds,
        )

    def take_turns_noting(
        self, contestants: Mapping[str, Callable[[], None]], *, num_rounds: int | None = None
    ) -> None:
        """Do the same for contestants that take down what they measure by themselves."""
        for _ in range(num_rounds or self.num_rounds):
            for name, measure in contestants.items():
                if name in self.figure.failures:
                    continue
                try:
                    measure()
                except Missing as error:
                    self._fail(name, f"not installed: {error}")
                except Exception as error:  # noqa: BLE001 - whatever it was, the others go on
                    self._fail(name, f"{type(error).__name__}: {error}")

    def _fail(self, name: str, reason: str) -> None:
        self.figure.failures[name] = reason[:1000]
        print(f"  {self.figure.id} {name}: {reason[:300]}", file=sys.stderr, flush=True)
