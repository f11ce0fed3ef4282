"""A service: a module with a context, to be run by the command line on any number of hosts.

Set it up: `CUCKMQ_DATABASE_URL=postgresql://... python examples/service.py`
Then, in this folder: `cuckmq worker service:context` and `cuckmq orchestrator service:context`

docker-compose.yml at the top of the project runs exactly this. Through a pooler, CUCKMQ_LISTEN_URL names
the way around it.
"""

import asyncio
import os
import socket

from cuckmq import Context

context = Context(listen_dsn=os.environ.get("CUCKMQ_LISTEN_URL"))


@context.job(name="GREET", num_attempts=3)
async def greet(name: str) -> str:
    return f"hello {name}, from {socket.gethostname()}"


@context.job(name="TICK", repeat_secs=10)
async def tick() -> None: ...


async def set_up() -> None:
    async with context:
        await context.migrate()
        await context.deploy()
        handles = await greet.enqueue_many(["Ada", "Grace", "Edsger"])
        print(f"ready, with {len(handles)} jobs to run")


if __name__ == "__main__":
    asyncio.run(set_up())
