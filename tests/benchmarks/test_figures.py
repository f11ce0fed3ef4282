"""Each figure of ours can be measured, and what people read is what was measured. How fast, no test says."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page
from benchmarks.__main__ import modules
from benchmarks.chart import Bar, bars
from benchmarks.peers.environment import Missing, once
from benchmarks.peers.roster import PEERS
from benchmarks.report import Figure, Report
from benchmarks.run import Run

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "full.json"


async def measure(dsn: str, out: Path, figures: str) -> dict[str, Any]:
    """Run some figures at the least size, as a user would; what was written."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks", "--dsn", dsn, "--no-peers", "--rounds", "1", "--scale", "0.002",
        "--only", figures, "--out", str(out),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(110):
        _, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out.read_bytes())  # noqa: ASYNC240 - a small file, and nobody else on this loop


@pytest.mark.parametrize("figures", ["P1,P4,P5", "P3,P9,P15"])
async def test_figures_of_ours_are_measured(dsn: str, tmp_path: Path, figures: str) -> None:
    found = await measure(dsn, tmp_path / "out.json", figures)
    assert [each["id"] for each in found["figures"]] == figures.split(",")
    for each in found["figures"]:
        assert each["failures"] == {}
        assert each["measured"]
        assert all(median > 0 for median in (what["median"] for what in each["measured"].values()))
        ours = [
            ratio for ratio in each["ratios"] if "peer" not in ratio["name"] and "best" not in ratio["name"]
        ]
        assert ours
        assert all(ratio["ratio"] is not None for ratio in ours)


@pytest.mark.full
@pytest.mark.parametrize("figures", ["P2,P8,P10", "P6,P7", "P11", "P12,P13,P14"])
async def test_the_long_figures_are_measured(dsn: str, tmp_path: Path, figures: str) -> None:
    found = await measure(dsn, tmp_path / "out.json", figures)
    assert all(each["failures"] == {} and each["measured"] for each in found["figures"])


def test_every_figure_is_there() -> None:
    assert list(modules()) == [f"P{number}" for number in range(1, 16)]
    assert all(module.TITLE and module.measure for module in modules().values())


def test_pages_and_charts_are_drawn_from_the_results() -> None:
    for path, text in page.drawn(json.loads(RESULTS.read_text())).items():
        assert path.read_text() == text, f"{path} is not what the results say: python -m benchmarks --redraw"


def test_peers_are_pinned_at_the_versions_that_are_named() -> None:
    peers = ROOT / "benchmarks" / "peers"
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (peers / "requirements.txt").read_text(), re.MULTILINE))
    pinned |= json.loads((peers / "package.json").read_text())["dependencies"]
    assert {peer.name: peer.version for peer in PEERS}.items() <= pinned.items()


def test_a_failure_loses_nothing_of_the_others(tmp_path: Path) -> None:
    figure = Figure("P1", "drain")
    figure.note("ours", 2.0, "jobs/s")
    figure.failures["theirs"] = "not installed: no redis-server"
    figure.hold("theirs", figure.median("ours"), figure.median("theirs"), goal=1.3)
    report = Report(tmp_path / "out.json", {"scale": 1}, [figure])
    report.write()
    (found,) = json.loads(report.path.read_text())["figures"]
    assert found["measured"]["ours"]["median"] == 2.0
    assert found["ratios"] == [
        {"name": "theirs", "ratio": None, "goal": 1.3, "at_most": False, "is_met": None}
    ]
    assert "not measured" in "\n".join(page.lines_of(found))
    assert "no redis-server" in "\n".join(page.lines_of(found))


def test_a_peer_that_cannot_be_installed_is_named_and_the_others_go_on() -> None:
    num_tries = 0

    @once
    def install() -> str:
        nonlocal num_tries
        num_tries += 1
        raise Missing("pip failed: no such version")

    figure = Figure("P1", "drain")
    run = Run("", scale=1.0, num_rounds=2, peers=(), figure=figure)
    run.take_turns(
        {"theirs": lambda: float(install()), "others": lambda: float(install()), "ours": lambda: 2.0}, "/s"
    )
    assert figure.values == {"ours": [2.0, 2.0]}
    assert figure.failures == dict.fromkeys(
        ("theirs", "others"), "not installed: pip failed: no such version"
    )
    assert num_tries == 1


def test_a_chart_shows_the_best_first_and_what_was_not_measured() -> None:
    svg = bars("Speed", [Bar("slow", 10), Bar("absent", None), Bar("quick & ours", 1000, is_ours=True)])
    assert svg.index("quick &amp; ours") < svg.index("slow") < svg.index("absent")
    assert "not measured" in svg
    assert "prefers-color-scheme: dark" in svg
