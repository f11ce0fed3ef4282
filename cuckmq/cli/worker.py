"""`cuckmq worker`: run the jobs of an app."""

from __future__ import annotations

import asyncio

import click

from cuckmq.cli.load import load_context
from cuckmq.cli.logs import log_to_stderr
from cuckmq.cli.serve import serve
from cuckmq.worker import Worker


@click.command("worker")
@click.argument("app", required=False)
@click.option("-q", "--channel", "channels", multiple=True, metavar="NAME",
              help="Serve this channel; may be given again. Default: all.")  # fmt: skip
@click.option("-c", "--concurrency", type=int, default=10, show_default=True, help="Jobs to run at once.")
@click.option("--name", help="For people; default: the host's name.")
def command(app: str | None, channels: tuple[str, ...], concurrency: int, name: str | None) -> None:
    """Run the jobs of an app.

    APP is `module:attribute`, where the Context is. Default: CUCKMQ_APP, then `app` under
    [tool.cuckmq] in pyproject.toml.

    The first SIGTERM or Ctrl-C lets the jobs in hand finish; the second gives them back to the queue
    at once. Either way the exit code is 0.
    """
    context = load_context(app)
    worker = Worker(context, channels=list(channels) or None, concurrency=concurrency, name=name)
    log_to_stderr()
    served = ", ".join(channels) if channels else "all channels"
    ready = f"worker {worker.name} serves {served}, {concurrency} jobs at once"
    asyncio.run(serve(context, worker, ready=ready))
