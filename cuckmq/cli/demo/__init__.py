"""`cuckmq demo`: thousands of typed jobs through a real PostgreSQL, a crash included.

`jobs` defines them, `producers` put them in, two processes of `crew` run them, `story` tells what
happens, `journal` keeps book outside of the database, and `audit` accounts for every single job.
"""

from __future__ import annotations

import click

from cuckmq.cli.demo.stage import perform


@click.command("demo")
@click.option("--jobs", "num_jobs", type=click.IntRange(20, 200_000), default=5000, show_default=True,
              help="How many to put in.")  # fmt: skip
@click.option("--database-url", metavar="DSN",
              help="Use this database, in a schema that is dropped at the end. "
              "Default: an embedded PostgreSQL, thrown away afterwards.")  # fmt: skip
def command(num_jobs: int, database_url: str | None) -> None:
    """Show thousands of jobs going through PostgreSQL.

    Producers put in jobs of several kinds: plain ones, ones in groups that run one at a time, ones
    that fail at first and are tried again, and one that repeats by itself each second. Two worker
    processes run them. One is killed in the middle of its work, and the other recovers its jobs.

    At the end every job is accounted for, and the exit code is 0; if one were missing, it is 1.
    """
    perform(num_jobs, database_url)
