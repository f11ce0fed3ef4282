"""Processes that own a share in an embedded server, to be killed at will."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

#: Starts a server, tells about it, and lives until its input ends.
PROGRAM = """
import json, sys
from pathlib import Path
from cuckmq.database.embedded import EmbeddedPostgres

server = EmbeddedPostgres.start(Path(sys.argv[1]), **json.loads(sys.argv[2]))
print(json.dumps({"dsn": server.dsn, "pid": server.pid, "version": server.version}), flush=True)
sys.stdin.read()
"""


class Owner:
    """One such process.

    Args:
        directory: of the server.
        options: for `EmbeddedPostgres.start`.
        python: the interpreter, with what goes before it.
        popen: for `subprocess.Popen`.
    """

    def __init__(
        self,
        directory: Path,
        options: Mapping[str, Any] | None = None,
        *,
        python: Sequence[str] = (sys.executable,),
        **popen: Any,
    ) -> None:
        self._process = subprocess.Popen(
            [*python, "-c", PROGRAM, str(directory), json.dumps({"durable": False, **(options or {})})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **popen,
        )
        self._told: dict[str, Any] | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What it said about the server: `dsn`, `pid`, `version`. Waits for it."""
        if self._told is None:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            assert line, f"the owner ended without a server, with {self._process.wait()}"
            self._told = json.loads(line)
        return self._told

    @property
    def dsn(self) -> str:
        return self.told["dsn"]

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self.told["pid"]

    def kill(self) -> None:
        """Kill it as only the kernel can. Returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def leave(self) -> None:
        """Let it end without closing its share. Returns when it is gone."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
