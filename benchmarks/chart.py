"""Horizontal bars as SVG, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 720
LEFT: Final = 190
RIGHT: Final = 90
TOP: Final = 44
ROW: Final = 30
BAR: Final = 18

STYLE: Final = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 14px; }
  .ours { fill: #1a7f5a; } .theirs { fill: #8c959f; } .none { fill: #8c959f; font-style: italic; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .ours { fill: #3fb68b; } .theirs { fill: #6e7681; } .none { fill: #8b949e; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One row. A value of None was not measured, and is shown as such."""

    label: str
    value: float | None
    is_ours: bool = False


def bars(title: str, rows: Sequence[Bar], *, is_less_better: bool = False) -> str:
    """Draw the rows, the best first."""
    order = sorted(
        rows, key=lambda row: (row.value is None, (row.value or 0) * (1 if is_less_better else -1))
    )
    most = max((row.value for row in order if row.value is not None), default=1.0) or 1.0
    height = TOP + ROW * len(order) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"',
        f' height="{height}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
    ]
    for number, row in enumerate(order):
        top = TOP + ROW * number
        baseline = top + BAR - 4
        lines.append(f'<text x="{LEFT - 10}" y="{baseline}" text-anchor="end">{escape(row.label)}</text>')
        if row.value is None:
            lines.append(f'<text class="none" x="{LEFT}" y="{baseline}">not measured</text>')
            continue
        width = max(1.0, (WIDTH - LEFT - RIGHT) * row.value / most)
        kind = "ours" if row.is_ours else "theirs"
        lines.append(f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" rx="3"/>')
        told = f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:.1f}"
        lines.append(f'<text x="{LEFT + width + 8:.1f}" y="{baseline}">{told}</text>')
    return "\n".join((*lines, "</svg>", ""))
