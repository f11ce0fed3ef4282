"""One worker process of the demo: `python -m cuckmq.cli.demo.hand`, told what to do on stdin.

It says on stdout when it is ready. Stdin stays open for as long as the demo lives: its end means
that the demo is gone, by whatever death, and then this process ends on the spot.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Final

from cuckmq.cli.demo.jobs import open_shop
from cuckmq.cli.demo.journal import Journal
from cuckmq.context import Context
from cuckmq.worker import Worker

CONCURRENCY: Final = 10


def main() -> None:
    """Read the orders and work until told to stop."""
    orders = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_the_demo, daemon=True).start()
    asyncio.run(_work(orders))


async def _work(orders: dict[str, Any]) -> None:
    async with Context(orders["dsn"], schema=orders["schema"]) as context:
        open_shop(context, Journal(Path(orders["journal"])))
        worker = Worker(context, concurrency=CONCURRENCY, name=orders["name"])
        await worker.start()
        print(json.dumps({"worker_id": worker.worker_id}), flush=True)  # noqa: T201 - the answer to the demo
        await worker.run()


def _die_with_the_demo() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
