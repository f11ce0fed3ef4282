"""`cuckmq orchestrator`: repeat, purge and rescue the jobs of an app."""

from __future__ import annotations

import asyncio

import click

from cuckmq.cli.load import load_context
from cuckmq.cli.logs import log_to_stderr
from cuckmq.cli.serve import serve
from cuckmq.orchestrator import Orchestrator


@click.command("orchestrator")
@click.argument("app", required=False)
def command(app: str | None) -> None:
    """Repeat, purge and rescue the jobs of an app.

    APP is `module:attribute`, where the Context is. Default: CUCKMQ_APP, then `app` under
    [tool.cuckmq] in pyproject.toml.

    One is enough, and several do no harm. SIGTERM or Ctrl-C ends it, with exit code 0.
    """
    context = load_context(app)
    log_to_stderr()
    ready = f'orchestrator keeps schema "{context.schema}"'
    asyncio.run(serve(context, Orchestrator(context), ready=ready))
