"""`cuckmq dev`: run everything an app needs, in one process."""

from __future__ import annotations

import asyncio
import logging
import os

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict

from cuckmq.cli.load import load_context
from cuckmq.cli.logs import log_to_stderr
from cuckmq.cli.place import place_of, server_version
from cuckmq.cli.refusal import Misuse
from cuckmq.cli.serve import serve
from cuckmq.cli.show import say
from cuckmq.context import Context
from cuckmq.database.locate import for_libpq
from cuckmq.events import AttemptSucceeded, Event, JobFailed
from cuckmq.orchestrator import Orchestrator
from cuckmq.worker import Worker

_logger = logging.getLogger("cuckmq.dev")


@click.command("dev")
@click.argument("app", required=False)
@click.option("--database-url", metavar="DSN",
              help="Default: the Context's own, then CUCKMQ_DATABASE_URL, then DATABASE_URL, "
              "then an embedded one in .cuckmq/.")  # fmt: skip
@click.option("-c", "--concurrency", type=int, default=10, show_default=True, help="Jobs to run at once.")
def command(app: str | None, database_url: str | None, concurrency: int) -> None:
    """Run everything an app needs, in one process.

    That is: a database, unless the app has one; the queue's schema in it; the app's definitions,
    deployed; a worker and an orchestrator. Each job that ends is told in a line.

    APP is `module:attribute`, where the Context is. Default: CUCKMQ_APP, then `app` under
    [tool.cuckmq] in pyproject.toml.
    """
    if database_url is not None:
        os.environ["CUCKMQ_DATABASE_URL"] = database_url  # before the app reads it
    context = load_context(app)
    worker = Worker(context, concurrency=concurrency)
    log_to_stderr()
    asyncio.run(_run(context, worker, database_url))


async def _run(context: Context, worker: Worker, database_url: str | None) -> None:
    async with context:
        dsn = await asyncio.to_thread(lambda: context.database.dsn)
        if database_url is not None and not _is_same(dsn, database_url):
            raise Misuse(
                "the app's Context names a database of its own, so --database-url would change nothing: "
                "leave it out, or let the Context take its database from CUCKMQ_DATABASE_URL"
            )
        say("done", f"PostgreSQL {await asyncio.to_thread(server_version, dsn)}", place_of(dsn))
        version = await context.migrate()
        say("done", f'schema "{context.schema}" is at version {version}')
        await context.deploy()
        names = ", ".join(sorted(context.definitions))
        say("done" if names else "struck", f"{len(context.definitions)} job definitions deployed", names)
        say("done", "worker and orchestrator start; Ctrl-C ends them")
        context.add_event_handler(_tell)
        await serve(context, Orchestrator(context), worker, ready="ready")


def _is_same(dsn: str, other: str) -> bool:
    try:
        return conninfo_to_dict(dsn) == conninfo_to_dict(for_libpq(other, "--database-url"))
    except psycopg.ProgrammingError:
        return False


def _tell(event: Event) -> None:
    match event:
        case AttemptSucceeded():
            duration_ms = event.duration_secs * 1000
            _logger.info("job %s (%s) succeeded in %.0f ms", event.job_id, event.name, duration_ms)
        case JobFailed():
            _logger.error("job %s (%s) failed: %s", event.job_id, event.name, event.reason)
        case _:
            pass
