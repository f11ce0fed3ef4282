"""Where the demo is performed: a server, a schema and a folder, all gone when it is over."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import click
import psycopg
from psycopg import sql

from cuckmq.cli.demo.audit import Audit
from cuckmq.cli.demo.crew import Crew
from cuckmq.cli.demo.display import show_summary
from cuckmq.cli.demo.story import Story
from cuckmq.cli.place import place_of, server_version
from cuckmq.cli.refusal import Refusal
from cuckmq.cli.show import console, say
from cuckmq.context import Context
from cuckmq.database.connect import connect_sync
from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.database.locate import for_libpq

LOG_TAIL: Final = 30


def perform(num_jobs: int, database_url: str | None) -> None:
    """Set the stage, perform, show the outcome, and clear everything away.

    Raises:
        Refusal: something is missing at the end, or could not begin.
        click.exceptions.Exit: a signal broke it off.
    """
    with ExitStack() as stack:
        dsn = stack.enter_context(_database(database_url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cuckmq-demo-")))
        schema = stack.enter_context(_schema(dsn))
        log = folder / "log"
        stack.enter_context(_logged_to(log))
        interrupted: list[signal.Signals] = []
        try:
            found = asyncio.run(_perform(dsn, schema, folder, num_jobs, on_signal=interrupted.append))
        except asyncio.CancelledError:
            raise click.exceptions.Exit(128 + interrupted[0]) from None
        except Exception:
            _show_log(log)
            raise
        _tell(found, log)


async def _perform(
    dsn: str, schema: str, folder: Path, num_jobs: int, *, on_signal: Callable[[signal.Signals], None]
) -> Audit:
    _listen_for_signals(on_signal)
    journal = folder / "journal"
    with (folder / "log").open("ab") as output:
        async with (
            Context(dsn, schema=schema) as context,
            Crew(dsn=dsn, schema=schema, journal=journal, log=output) as crew,
        ):
            await context.migrate()
            return await Story(context, crew, journal, num_jobs).tell()


def _listen_for_signals(on_signal: Callable[[signal.Signals], None]) -> None:
    """Have the first signal break off the demo; later ones cannot disturb the clearing up."""
    loop, task, heard = asyncio.get_running_loop(), asyncio.current_task(), False

    def hear(each: signal.Signals) -> None:
        nonlocal heard
        if heard or task is None:
            return
        heard = True
        on_signal(each)
        task.cancel()
        say("struck", "broken off; clearing up")

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(each, hear, each)


@contextmanager
def _database(url: str | None) -> Generator[str]:
    """Give a DSN: the one named, or that of a server which is gone when the block is left."""
    if url is not None:
        dsn = for_libpq(url, "--database-url")
        say("done", f"PostgreSQL {server_version(dsn)}", place_of(dsn))
        yield dsn
        return
    with console.status("starting PostgreSQL", spinner="dots"):
        server = EmbeddedPostgres.temporary()
    try:
        say("done", f"PostgreSQL {server.version}", "embedded, thrown away afterwards")
        yield server.dsn
    finally:
        server.stop()
        server.close()


@contextmanager
def _schema(dsn: str) -> Generator[str]:
    """Give a schema's name that nobody has, and drop the schema afterwards."""
    name = f"cuckmq_demo_{secrets.token_hex(4)}"
    try:
        yield name
    finally:
        with suppress(psycopg.OperationalError), connect_sync(dsn) as connection:
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))


@contextmanager
def _logged_to(path: Path) -> Generator[None]:
    """Keep what the queue logs off the stage; it is shown only if something goes wrong."""
    logger, handler = logging.getLogger("cuckmq"), logging.FileHandler(path)
    logger.addHandler(handler)
    was_propagating, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = was_propagating
        logger.removeHandler(handler)
        handler.close()


def _tell(found: Audit, log: Path) -> None:
    show_summary(found)
    if found.problems:
        for problem in found.problems:
            say("failed", problem)
        _show_log(log)
        raise Refusal("the demo lost count, and this is a bug: please report it with what is shown above")
    say("done", f"all {found.num_ended:,} jobs are accounted for", "none lost, none left over")
    say("done", f"never two jobs of one account at once, in {found.num_groups} accounts",
        "by a log outside")  # fmt: skip
    say("done", "check_invariants() finds nothing wrong")


def _show_log(log: Path) -> None:
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    for line in lines[-LOG_TAIL:]:
        click.echo(f"  {line}", file=sys.stderr)
