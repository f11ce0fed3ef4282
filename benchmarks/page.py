"""The tables and charts that people see, drawn from the results and from nothing else.

They stand between markers in docs/performance.md and README.md; a test draws them again and compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from benchmarks.chart import Bar, bars

ROOT: Final = Path(__file__).parents[1]
PERFORMANCE: Final = ROOT / "docs" / "performance.md"
README: Final = ROOT / "README.md"
CHARTS: Final = ROOT / "docs" / "charts"

Json = dict[str, Any]


def draw(results: Path) -> None:
    """Draw everything from these results."""
    found = json.loads(results.read_text())
    for path, text in drawn(found).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def drawn(found: Json) -> dict[Path, str]:
    """Return what each page and chart is to be."""
    performance = PERFORMANCE.read_text()
    for name, lines in (
        ("goals", goals_table(found)),
        ("queues", queues_table(found)),
        ("settings", settings_table(found)),
        ("machine", machine_lines(found)),
    ):
        performance = between(performance, name, lines)
    charts = {CHARTS / f"{name}.svg": text for name, text in all_charts(found).items()}
    return {
        PERFORMANCE: performance,
        README: between(README.read_text(), "speed", readme_lines(found)),
        **charts,
    }


def between(text: str, name: str, lines: list[str]) -> str:
    """Put lines between the markers of that name."""
    begin, end = f"<!-- {name}: drawn by `make bench` -->", f"<!-- {name}: end -->"
    found = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if not found.search(text):
        raise ValueError(f"there is no place for {name}: write {begin} and {end}")
    return found.sub(lambda _: "\n".join((begin, *lines, end)), text)


def number(value: float | None, unit: str = "") -> str:
    """Write a number as people read it."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{unit and ' ' + unit}"


def lines_of(figure: Json) -> list[str]:
    """Tell of a figure in plain lines, for a terminal."""
    lines = [f"{figure['id']} {figure['title']} ({figure['secs']:.0f} s)"]
    lines += [
        f"    {what:40} {number(each['median'], each['unit'])}" for what, each in figure["measured"].items()
    ]
    lines += [f"    FAILED {what}: {reason.splitlines()[0]}" for what, reason in figure["failures"].items()]
    lines += [f"  {to_goal(each)}" for each in figure["ratios"]]
    return lines


def to_goal(ratio: Json) -> str:
    """Say what was reached of a goal."""
    sign = "<=" if ratio["at_most"] else ">="
    return f"{ratio['name']:40} {number(ratio['ratio']):>10}  goal {sign} {ratio['goal']:g}  {verdict(ratio)}"


def verdict(ratio: Json) -> str:
    """Say whether a goal was met."""
    return "not measured" if ratio["is_met"] is None else "met" if ratio["is_met"] else "not met"


def goals_table(found: Json) -> list[str]:
    """P1 to P15, a row for each goal."""
    lines = ["", "| id | figure | measured against | reached | goal | |", "|---|---|---|---|---|---|"]
    for figure in found["figures"]:
        for ratio in figure["ratios"]:
            sign = "≤" if ratio["at_most"] else "≥"
            lines.append(
                f"| {figure['id']} | {figure['title']} | {ratio['name']} | {number(ratio['ratio'])}"
                f" | {sign} {ratio['goal']:g} | {verdict(ratio)} |"
            )
    return [*lines, ""]


def queues_table(found: Json) -> list[str]:
    """What each queue reached, a row for each."""
    columns = (
        "queue",
        "drain, its best /s",
        "two processes /s",
        "its defaults /s",
        "enqueue one by one /s",
        "many at once /s",
        "pickup p50 / p95 / p99 ms",
    )
    lines = ["", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name in found["systems"]:
        cells = [
            number(median(found, "P1", f"{name} best")),
            number(median(found, "P2", f"{name} best")),
            number(median(found, "P1", f"{name} default")),
            number(median(found, "P4", name)),
            number(median(found, "P5", name)),
            " / ".join(number(median(found, "P3", f"{name} p{percent}")) for percent in (50, 95, 99)),
        ]
        label = f"**{name}**" if name == "cuckmq" else name
        lines.append(f"| {label} | {' | '.join(cells)} |")
    failures = [
        f"- {figure['id']}, {what}: {reason.splitlines()[0]}"
        for figure in found["figures"]
        for what, reason in figure["failures"].items()
    ]
    return [*lines, *(["", "What could not be measured:", "", *failures] if failures else []), ""]


def settings_table(found: Json) -> list[str]:
    """What was measured, with which settings."""
    lines = [
        "",
        "| queue | version | its best | its defaults | when an enqueue returns, it is |",
        "|---|---|---|---|---|",
    ]
    for name, each in found["systems"].items():
        lines.append(
            f"| {name} | {each['version']} | {each['best']} | {each['default']} | {each['promise']} |"
        )
    return [*lines, ""]


def machine_lines(found: Json) -> list[str]:
    """What it was measured on."""
    machine, server = found["machine"], found["server"]
    told = (
        f"Measured {found['began_at'][:10]} at commit `{machine['commit']}`, {found['rounds']} rounds, scale"
        f" {found['scale']:g}, on {machine['cores']} cores of {machine['processor']} shared by client and"
        f" server, {machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}, PostgreSQL"
        f" {server['server_version']} (fsync {server['fsync']}, synchronous_commit"
        f" {server['synchronous_commit']}, shared_buffers {server['shared_buffers']}); the load average was"
        f" {machine['load_at_start']:g} before it began."
    )
    return ["", found["method"], "", told, ""]


def readme_lines(found: Json) -> list[str]:
    """Say it in two lines, with a chart; who wants to know more unfolds the goals."""
    ours = median(found, "P1", "cuckmq default")
    goals = [ratio for figure in found["figures"] for ratio in figure["ratios"]]
    num_met = sum(bool(ratio["is_met"]) for ratio in goals)
    told = (
        f"{number(ours)} jobs a second in one worker process with default settings and history kept, beside"
        f" its peers at their best, in one run on {found['machine']['cores']} cores. {num_met} of"
        f" {len(goals)} goals are met; [all figures](docs/performance.md)."
    )
    chart = "![Jobs drained a second by one worker process](docs/charts/drain.svg)"
    summary = "<summary>The goals, and what was reached of each</summary>"
    return ["", chart, "", told, "", "<details>", summary, *goals_table(found), "</details>", ""]


def all_charts(found: Json) -> dict[str, str]:
    """Draw the charts, by name."""
    drain = [Bar("cuckmq, defaults", median(found, "P1", "cuckmq default"), is_ours=True)]
    drain += [
        Bar(f"{name}, its best", median(found, "P1", f"{name} best"), is_ours=name == "cuckmq")
        for name in found["systems"]
    ]
    drain += [Bar("engine loop", median(found, "P1", "engine loop"))]
    return {
        "drain": bars("Jobs drained a second, one worker process", drain),
        "enqueue": bars("Jobs put in a second, one by one", by_system(found, "P4", "")),
        "pickup": bars(
            "Median wait of a job for an idle worker, ms (less is better)",
            by_system(found, "P3", " p50"),
            is_less_better=True,
        ),
    }


def by_system(found: Json, id: str, suffix: str) -> list[Bar]:  # noqa: A002 - it is one
    """Return a bar for each system."""
    return [
        Bar(name, median(found, id, f"{name}{suffix}"), is_ours=name == "cuckmq") for name in found["systems"]
    ]


def median(found: Json, id: str, what: str) -> float | None:  # noqa: A002 - it is one
    """Return a median by the id of its figure and what it is of; None if it was not measured."""
    for figure in found["figures"]:
        if figure["id"] == id and what in figure["measured"]:
            return float(figure["measured"][what]["median"])
    return None
