"""`cuckmq deploy`: make the definitions of an app known to the database."""

from __future__ import annotations

import asyncio

import click

from cuckmq.cli.load import load_context
from cuckmq.cli.refusal import Misuse
from cuckmq.cli.show import say
from cuckmq.context import Context


@click.command("deploy")
@click.argument("app", required=False)
def command(app: str | None) -> None:
    """Make the definitions of an app known to the database.

    APP is `module:attribute`, where the Context is. Default: CUCKMQ_APP, then `app` under
    [tool.cuckmq] in pyproject.toml.

    A job can be put in once its definition is deployed; limits and repeats go with it. Safe to repeat: what
    is there is brought up to date, and what the app does not have is left alone. Needs the schema's owner,
    or its worker role.
    """
    context = load_context(app)
    if not context.definitions:
        raise Misuse(
            "this Context has no definitions: let the module that has it import those that define its jobs"
        )
    asyncio.run(deploy(context))
    names = ", ".join(sorted(context.definitions))
    say("done", f'schema "{context.schema}" knows {len(context.definitions)} definitions', names)


async def deploy(context: Context) -> None:
    """Deploy what the context has, and close it."""
    async with context:
        await context.deploy()
