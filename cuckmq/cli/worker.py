"""`cuckmq worker`: run the jobs of an app, in this process or in several."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

import click

from cuckmq.cli.leash import Leash
from cuckmq.cli.load import load_context
from cuckmq.cli.logs import log_to_stderr
from cuckmq.cli.refusal import Misuse
from cuckmq.cli.serve import serve
from cuckmq.cli.supervise import Supervisor
from cuckmq.worker import Worker

MAX_PROCESSES: Final = 1_000


@click.command("worker")
@click.argument("app", required=False)
@click.option("-q", "--channel", "channels", multiple=True, metavar="NAME",
              help="Serve this channel; may be given again. Default: all.")  # fmt: skip
@click.option("-c", "--concurrency", type=int, default=10, show_default=True,
              help="Jobs to run at once, in each process.")  # fmt: skip
@click.option("-p", "--processes", metavar="N",
              help="Keep so many processes at work; 0 or `auto` for one per core.")  # fmt: skip
@click.option("--name", help="For people; default: the host's name. Several processes are numbered.")
@click.option("--leash", type=int, hidden=True)
def command(
    *,
    app: str | None,
    channels: tuple[str, ...],
    concurrency: int,
    processes: str | None,
    name: str | None,
    leash: int | None,
) -> None:
    """Run the jobs of an app.

    APP is `module:attribute`, where the Context is. Default: CUCKMQ_APP, then `app` under
    [tool.cuckmq] in pyproject.toml.

    The first SIGTERM or Ctrl-C lets the jobs in hand finish; the second gives them back to the queue
    at once. Either way the exit code is 0.

    With --processes each is a worker of its own, and one that dies is replaced.
    """
    if processes is not None:
        _supervise(app, channels, concurrency, _count(processes), name or socket.gethostname()[:200])
        return
    held = None if leash is None else Leash(leash)
    context = load_context(app)
    worker = Worker(context, channels=list(channels) or None, concurrency=concurrency, name=name)
    log_to_stderr()
    served = ", ".join(channels) if channels else "all channels"
    ready = f"worker {worker.name} serves {served}, {concurrency} jobs at once"
    asyncio.run(serve(context, worker, ready=ready, leash=held))


def _supervise(
    app: str | None, channels: tuple[str, ...], concurrency: int, num_processes: int, name: str
) -> None:
    log_to_stderr()
    arguments = ["--concurrency", str(concurrency)]
    for channel in channels:
        arguments += ["--channel", channel]
    supervisor = Supervisor(num_processes, name, arguments if app is None else [app, *arguments])
    click.get_current_context().exit(asyncio.run(supervisor.run()))


def _count(processes: str) -> int:
    """Read how many processes are asked for."""
    if processes == "auto":
        return _num_cores()
    if not (processes.isascii() and processes.isdigit()) or int(processes) > MAX_PROCESSES:
        raise Misuse(f"--processes is a number from 0 to {MAX_PROCESSES}, or `auto`, not {processes!r}")
    return int(processes) or _num_cores()


def _num_cores() -> int:
    """Count the cores that this process may use: in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
