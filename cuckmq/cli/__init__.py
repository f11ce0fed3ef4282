"""The command line: `cuckmq COMMAND`.

A command is imported when it is called, so that `cuckmq --help` and shell completion answer at once.

Exit codes, of every command:

====  ===========================================================================
0     done; of a daemon: it was told to stop, and did
1     it could not be done: no database, a schema that does not fit, an app that
      fails when imported, a demo that lost count. The last line says what to do
2     it was not asked rightly: an unknown option, an app that is not there
130   broken off with Ctrl-C (SIGINT), and everything cleaned up; 143 by SIGTERM
====  ===========================================================================
"""

from __future__ import annotations

import signal
from importlib import import_module
from typing import Final

import click

COMMANDS: Final = {
    "demo": "Show thousands of jobs going through PostgreSQL.",
    "deploy": "Make the definitions of an app known to the database.",
    "dev": "Run everything an app needs, in one process.",
    "migrate": "Create the queue's schema, or bring it up to date.",
    "orchestrator": "Repeat, purge and rescue the jobs of an app.",
    "worker": "Run the jobs of an app.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"cuckmq.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Call a command; what we understand of its errors is told in a line."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            raise click.exceptions.Exit(128 + signal.SIGINT) from None
        except Exception as error:
            from cuckmq.cli.refusal import Refusal, explain  # noqa: PLC0415 - knows the driver

            if (told := explain(error)) is None:
                raise
            raise Refusal(told) from error


def _print_version(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        from importlib import metadata  # noqa: PLC0415 - brings along a mail parser and an archiver

        click.echo(f"cuckmq {metadata.version('cuckmq')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="APP is `module:attribute`, where a cuckmq Context is. Docs: `cuckmq COMMAND --help`.",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version,
    help="Show the version and exit.",
)  # fmt: skip
def main() -> None:
    """The job queue for Python that needs nothing but Postgres."""
