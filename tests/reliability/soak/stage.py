"""Where the soak plays: a server, a schema, and a crew of processes that is kept complete."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from cuckmq.database.embedded import EmbeddedPostgres

ROOT: Final = Path(__file__).parents[3]
EXIT_SECS: Final = 45.0


@dataclass(eq=False, slots=True)
class Member:
    """A process of the crew."""

    role: str
    process: asyncio.subprocess.Process


class Stage:
    """Starts the crew, replaces those who died, and ends them.

    Args:
        server: of our own, since it will be harmed.
        schema: of the queue.
        folder: for journals, and for what the crew says on stderr.
        lease_secs: of the workers; short, so that much happens.
        is_deaf: whether its workers never hear that they were taken for dead.
    """

    def __init__(
        self, server: EmbeddedPostgres, schema: str, folder: Path, lease_secs: float, *, is_deaf: bool
    ) -> None:
        self.server = server
        self.schema = schema
        self.folder = folder
        self.lease_secs = lease_secs
        self.is_deaf = is_deaf
        self.crew: list[Member] = []
        self.exit_codes: list[tuple[str, int]] = []

    @property
    def workers(self) -> list[Member]:
        """Those who run jobs."""
        return [each for each in self.crew if each.role == "worker"]

    @property
    def orchestrators(self) -> list[Member]:
        """Those who keep the schedule."""
        return [each for each in self.crew if each.role == "orchestrator"]

    async def add(self, role: str) -> None:
        """Start a process of the crew. Returns when it is up; tries again while the server is away."""
        options: dict[str, Any] = {"heartbeat_secs": self.lease_secs / 5, "lease_secs": self.lease_secs}
        if role == "worker":
            options |= {"concurrency": 4, "shutdown_secs": 5, "is_deaf": self.is_deaf}
        while True:
            with (self.folder / "stderr.log").open("ab") as stderr:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "tests.reliability.soak.crew",
                    role, self.server.dsn, self.schema, str(self.folder), json.dumps(options),
                    cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=stderr,
                )  # fmt: skip
            assert process.stdout is not None
            if await process.stdout.readline() == b"up\n":
                self.crew.append(Member(role, process))
                return
            await process.wait()
            await asyncio.sleep(0.2)

    async def replace(self, member: Member) -> None:
        """Wait for the end of one that was told to end, and start another in its place."""
        await self._wait_for(member)
        await self.add(member.role)

    async def end(self) -> None:
        """Tell all to end in good order."""
        for member in list(self.crew):
            member.process.terminate()
        for member in list(self.crew):
            await self._wait_for(member)

    async def kill(self) -> None:
        """End whatever is left."""
        for member in list(self.crew):
            member.process.kill()
            await self._wait_for(member)

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """Connect to the server, as somebody else."""
        return await psycopg.AsyncConnection.connect(self.server.dsn, connect_timeout=5)

    async def reach(self) -> psycopg.AsyncConnection[Any]:
        """Connect, trying again while the server recovers from what was done to it before."""
        while True:
            try:
                return await self.connect()
            except psycopg.OperationalError:
                await asyncio.sleep(0.1)

    async def ask(self, query: str, parameters: list[Any] | None = None) -> list[Any]:
        """Ask the server something, trying again while it cannot be reached."""
        while True:
            try:
                async with await self.connect() as connection:
                    return await (await connection.execute(query.encode(), parameters)).fetchall()
            except psycopg.OperationalError:
                await asyncio.sleep(0.1)

    async def _wait_for(self, member: Member) -> None:
        code = await asyncio.wait_for(member.process.wait(), EXIT_SECS)
        self.crew.remove(member)
        self.exit_codes.append((member.role, code))
