"""Run daemons until a signal ends them, and say so."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack

from cuckmq._runtime.daemon import Daemon
from cuckmq._runtime.signals import enter_scope, leave_scope
from cuckmq.cli.leash import Leash
from cuckmq.cli.logs import logger
from cuckmq.context import Context


class Herald:
    """Stands among the daemons when a signal comes, and tells what it means."""

    def stop_claiming(self) -> None:
        """Tell of the first signal."""
        logger.info("stopping: what is in hand is finished first; a second signal lets go of it")

    def hasten(self) -> None:
        """Tell of the second."""
        logger.info("letting go: what is not finished goes back to the queue")


async def serve(context: Context, *daemons: Daemon, ready: str, leash: Leash | None = None) -> None:
    """Start daemons, work until SIGTERM or SIGINT, stop them, and close the context.

    The first signal lets the work in hand be finished, the second lets go of it at once. Signals
    count from before the start, so that one that comes early is not lost.

    Args:
        context: theirs.
        daemons: started in this order, and stopped in the opposite one.
        ready: what to log once all have started.
        leash: to a supervisor, which asks for what signals ask for.
    """
    herald = Herald()
    scope = enter_scope(herald, signal.SIGTERM, signal.SIGINT)
    scope.opened(herald)
    if leash is not None:
        leash.hold(scope.ask)
    try:
        async with context, AsyncExitStack() as stack:
            for daemon in daemons:
                await stack.enter_async_context(daemon)
            logger.info("%s, pid %s", ready, os.getpid())
            if leash is not None:
                leash.tell_ready()
            if not scope.num_signals:
                await asyncio.Event().wait()
    except BaseException as error:
        if not leave_scope(scope, herald, error):
            raise
    finally:
        if leash is not None:
            leash.drop()
    logger.info("stopped")
