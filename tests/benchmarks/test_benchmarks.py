"""The small benchmarks run, and count what they claim to count. How fast we are, no test says."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


async def measure(module: str, dsn: str, *arguments: str) -> list[str]:
    """Run a benchmark as its user would; the lines that it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", f"benchmarks.{module}", "--dsn", dsn, *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


@pytest.mark.parametrize(
    ("module", "arguments", "told"),
    [
        (
            "sleepers",
            ["--jobs", "60", "--rounds", "1"],
            r"60 jobs of 0\.03 s at concurrency 30\nmedian: [\d.]+ s, ideal 0\.060 s, ratio [\d.]+",
        ),
        (
            "messages",
            ["--messages", "100"],
            r"100 messages, 8 .* 8 consumers\nproducers alone [\d,]+/s, through the queue [\d,]+/s, .*",
        ),
    ],
)
async def test_it_runs(dsn: str, module: str, arguments: list[str], told: str) -> None:
    """N5: a thousand sleepers at concurrency 30, eight producers with eight consumers."""
    assert re.fullmatch(told, "\n".join(await measure(module, dsn, *arguments)))
