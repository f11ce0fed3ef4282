"""A server that a test may do anything to."""

from __future__ import annotations

import os
import signal

from cuckmq.database.embedded import EmbeddedPostgres


class PrivateCluster:
    """A whole server for one test. Its DSN stays the same from life to life.

    Attributes:
        dsn: how to connect as the superuser.
        server: what it is made of.
    """

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self.dsn = server.dsn

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        pid = self.server.pid
        assert pid is not None, "the server does not run"
        return pid

    def stop(self, *, at_once: bool = False) -> None:
        """Stop it, in good order or at once (as a crash would). Returns when it is gone."""
        self.server.stop(at_once=at_once)

    def kill(self) -> None:
        """Kill its postmaster as only the kernel can, and return when all of its processes are gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.server.stop()

    def start(self) -> None:
        """Start it again. Returns when it lets clients in."""
        self.server.resume()

    def restart(self, *, at_once: bool = False) -> None:
        """Stop it and start it again."""
        self.stop(at_once=at_once)
        self.start()
