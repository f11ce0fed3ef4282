"""What the demo shows while it goes on, and its summary."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cuckmq.cli.demo.audit import Audit, Tally
from cuckmq.cli.show import console, say
from cuckmq.state import JobState

RATE_SECS: Final = 3.0
PLAIN_SECS: Final = 2.0

ABOUT: Final = {
    "THUMBNAIL": "plain, async",
    "CHARGE": "one at a time per account",
    "MAIL": "fails at first, is retried",
    "REPORT": "long, sync, in a thread",
    "SWEEP": "repeats each second",
}


class Meter:
    """A progress bar on a terminal, a line now and then elsewhere."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._task: TaskID | None = None
        self._seen: deque[tuple[float, int]] = deque()
        self._said_at = time.monotonic()
        if progress is not None:
            self._task = progress.add_task("", total=total, rate=0, state="")

    def show(self, counts: Mapping[JobState, int], total: int) -> None:
        """Show where things stand.

        Args:
            counts: of jobs by state.
            total: how many there will be.
        """
        now, done = time.monotonic(), counts[JobState.SUCCEEDED] + counts[JobState.FAILED]
        self._seen.append((now, done))
        while now - self._seen[0][0] > RATE_SECS:
            self._seen.popleft()
        then, before = self._seen[0]
        rate = (done - before) / (now - then) if now > then else 0.0
        queued, running, scheduled = (
            counts[state] for state in (JobState.QUEUED, JobState.RUNNING, JobState.SCHEDULED)
        )
        state = f"{queued:,} queued, {running} running, {scheduled} scheduled"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total, rate=rate, state=state)
        elif now - self._said_at >= PLAIN_SECS:
            self._said_at = now
            say("note", f"{done:,} of {total:,} jobs ended, {rate:,.0f}/s; {state}")


@contextmanager
def meter(total: int) -> Generator[Meter]:
    """Show a meter for the time of a block."""
    if not console.is_terminal:
        yield Meter(None, total)
        return
    columns = (
        SpinnerColumn(style="cyan"),
        BarColumn(bar_width=32),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TextColumn("[cyan]{task.fields[rate]:,.0f}/s[/]"),
        TextColumn("[dim]{task.fields[state]}[/]"),
    )
    with Progress(*columns, console=console, transient=True, refresh_per_second=12) as progress:
        yield Meter(progress, total)


def show_summary(found: Audit) -> None:
    """Write what became of the jobs, as a table."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("job")
    for column in ("succeeded", "failed", "retries", "recovered"):
        table.add_column(column, justify="right")
    table.add_column("", style="dim")
    whole = Tally()
    for name, about in ABOUT.items():
        tally = found.tallies.get(name, Tally())
        table.add_row(name, *_numbers(tally), about)
        for column in Tally.__slots__:
            setattr(whole, column, getattr(whole, column) + getattr(tally, column))
    table.add_section()
    rate = found.num_ended / found.secs if found.secs else 0.0
    table.add_row("all", *_numbers(whole), f"{found.secs:.1f} s, {rate:,.0f}/s", style="bold")
    console.print()
    console.print(table, soft_wrap=False)
    console.print()


def _numbers(tally: Tally) -> list[Text]:
    values = (tally.succeeded, tally.failed, tally.retries, tally.recovered)
    return [Text(f"{value:,}" if value else "-", style="" if value else "dim") for value in values]
