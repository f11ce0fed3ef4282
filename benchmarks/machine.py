"""What a run was made on, so that its figures can be judged."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg

SHOWN = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
)


def describe_server(dsn: str) -> dict[str, str]:
    """Return the server's version and what of its settings matters here."""
    with psycopg.connect(dsn) as connection:
        return {
            name: str((connection.execute(f"show {name}".encode()).fetchone() or ("?",))[0]) for name in SHOWN
        }


def describe_machine() -> dict[str, Any]:
    """Return the machine, as far as it matters here."""
    model = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s+(\d+)", _text("/proc/meminfo"))
    return {
        "processor": model[1] if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(int(memory[1]) / 1e6) if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "commit": _commit(),
    }


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()
