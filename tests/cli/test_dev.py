"""`cuckmq dev`."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.cli.conftest import RunCommand

APP = """
from cuckmq import Context

context = Context({dsn!r}, schema={schema!r})

@context.job(name="TICK", repeat_secs=0.2)
async def tick() -> None:
    pass
"""


def test_it_runs_all_that_an_app_needs(run: RunCommand, folder: Path, schema: str) -> None:
    """D1: from an empty database to repeating jobs, in one process; Ctrl-C ends it."""
    (folder / "shop.py").write_text(APP.format(dsn=None, schema=schema))
    command = run("dev", "shop:context")
    command.says("1 job definitions deployed  TICK")
    command.says("(TICK) succeeded")
    command.signal(signal.SIGINT)
    assert command.wait() == 0
    assert "Traceback" not in command.stderr


def test_a_database_of_its_own_is_kept(run: RunCommand, folder: Path, dsn: str, schema: str) -> None:
    (folder / "shop.py").write_text(APP.format(dsn=dsn, schema=schema))
    command = run("dev", "shop:context", "--database-url", "host=127.0.0.1 port=1")
    assert command.wait() == 2
    assert "--database-url would change nothing" in command.stderr


def test_without_any_database_it_starts_one(run: RunCommand, folder: Path, schema: str) -> None:
    """A4: nothing but the package is needed; what it keeps is in .cuckmq/."""
    (folder / "shop.py").write_text(APP.format(dsn=None, schema=schema))
    command = run("dev", "shop:context", database=None)
    command.says("(TICK) succeeded", timeout_secs=60)
    command.signal(signal.SIGTERM)
    assert command.wait() == 0
    assert (folder / ".cuckmq" / "postgres").is_dir()
