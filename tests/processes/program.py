"""A worker of its own process, to be killed: `python -m tests.processes.program DSN SCHEMA`."""

from __future__ import annotations

import sys

from cuckmq import Context, Worker
from tests.processes import work


def main(dsn: str, schema: str) -> None:
    context = Context(dsn, schema=schema)
    context.job(name="ignore", executor="process")(work.ignore)
    Worker(context, heartbeat_secs=0.2, lease_secs=1.0).run_sync()


if __name__ == "__main__":
    main(*sys.argv[1:])
