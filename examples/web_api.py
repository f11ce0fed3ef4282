"""A web API: put a job in, look at it, or wait until it is done.

Run it: `CUCKMQ_DATABASE_URL=postgresql://... python examples/web_api.py [port]`, with fastapi and uvicorn.

    POST /sums {"x": 2, "y": 3}    202 {"id": 1}
    GET  /sums/1                   how it stands
    GET  /sums/1/on-complete       the result, when it is there; 504 after ten seconds

Here the worker lives in the same process; `cuckmq worker` on other hosts does as well.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from cuckmq import Context, Job, Worker
from cuckmq.errors import JobNotFound, ResultTimeout

context = Context(schema="_job")


class Sum(BaseModel):
    x: int
    y: int


@context.job(name="SUM")
async def add(payload: Sum) -> int:
    return payload.x + payload.y


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    async with context:
        await context.migrate()
        await context.deploy()
        async with Worker(context):
            yield


app = FastAPI(lifespan=lifespan)


@app.post("/sums", status_code=202)
async def put(payload: Sum) -> dict[str, int]:
    return {"id": (await add.enqueue(payload)).id}


@app.get("/sums/{job_id}")
async def look(job_id: int) -> dict[str, object]:
    try:
        job: Job = await context.jobs.get(job_id)
    except JobNotFound as error:
        raise HTTPException(404, str(error)) from error
    return {"id": job.id, "state": job.state, "attempt": job.attempt}


@app.get("/sums/{job_id}/on-complete")
async def wait(job_id: int) -> dict[str, int]:
    try:
        return {"result": await add.handle(job_id).result(timeout_secs=10)}
    except ResultTimeout as error:
        raise HTTPException(504, str(error)) from error


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
