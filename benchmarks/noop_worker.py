"""A worker with default settings whose only job does nothing."""

from __future__ import annotations

import sys

from pydantic import BaseModel

from cuckmq import Context, Worker

context = Context(sys.argv[1], schema=sys.argv[2])


class Payload(BaseModel):
    """The least that is a model."""

    n: int


@context.job(name="noop")
async def noop(payload: Payload) -> None:
    """Do nothing."""


if __name__ == "__main__":
    Worker(context).run_sync()
