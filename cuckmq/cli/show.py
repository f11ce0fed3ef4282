"""How commands speak: short lines with a mark, in color where there is a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.markup import escape

console: Final = Console(highlight=False, soft_wrap=True)

IS_PLAIN: Final = not console.encoding.startswith("utf")
MARKS: Final = {
    "done": ("green", "ok" if IS_PLAIN else "✓"),
    "struck": ("yellow", "!" if IS_PLAIN else "⚡"),
    "failed": ("red bold", "x" if IS_PLAIN else "✗"),
    "note": ("dim", "-" if IS_PLAIN else "·"),
}


def say(mark: str, text: str, aside: str = "") -> None:
    """Write a line.

    Args:
        mark: `done`, `struck`, `failed` or `note`.
        text: the line.
        aside: goes after it, less loud.
    """
    style, sign = MARKS[mark]
    tail = f"  [dim]{escape(aside)}[/]" if aside else ""
    console.print(f"[{style}]{sign}[/] {escape(text)}{tail}")
