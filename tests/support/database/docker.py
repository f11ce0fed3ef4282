"""A server in a container, where a Docker engine answers.

Whether one answers is asked on a plain socket, before any library for Docker is imported: these are
slow to import and, with no engine there, leave an open socket behind, which is an error here.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.support.database.settings import UNSAFE_SETTINGS

ENGINE_TIMEOUT_SECS: Final = 2.0
SOCKETS: Final = ("/var/run/docker.sock", "~/.docker/run/docker.sock", "$XDG_RUNTIME_DIR/docker.sock")


class ContainerError(Exception):
    """The engine answered, but the container did not come up."""


@dataclass(frozen=True)
class Container:
    """A running container with a server in it."""

    dsn: str
    container: Any

    def stop(self) -> None:
        self.container.stop()


def engine_answers(timeout_secs: float = ENGINE_TIMEOUT_SECS) -> bool:
    """Whether a Docker engine answers to a ping in time."""
    try:
        with connect_to_engine(timeout_secs) as engine:
            engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return engine.recv(64).startswith((b"HTTP/1.0 200", b"HTTP/1.1 200"))
    except OSError:
        return False


def connect_to_engine(timeout_secs: float) -> socket.socket:
    """Connect to where DOCKER_HOST says, else to the first socket that is in a usual place.

    Raises:
        OSError: nobody is there. An engine that wants TLS or SSH counts as not there.
    """
    named = urlsplit(os.environ.get("DOCKER_HOST", ""))
    if named.scheme == "tcp" and named.hostname:
        return socket.create_connection((named.hostname, named.port or 2375), timeout_secs)
    if named.scheme not in {"", "unix"}:
        raise ConnectionRefusedError(f"DOCKER_HOST is of a kind that is not tried: {named.scheme}")
    places = [named.path] if named.path else [os.path.expandvars(place) for place in SOCKETS]
    path = next((p for p in (Path(place).expanduser() for place in places) if p.is_socket()), None)
    if path is None:
        raise FileNotFoundError("there is no Docker socket")
    engine = socket.socket(socket.AF_UNIX)
    try:
        engine.settimeout(timeout_secs)
        engine.connect(str(path))
    except OSError:
        engine.close()
        raise
    return engine


def start_container(major: int | None) -> Container:
    """Start a server in a container.

    Args:
        major: the PostgreSQL wanted; 18 if None. CUCKMQ_TEST_PG_IMAGE names another image.

    Raises:
        ContainerError: it did not come up, for instance because its image could not be fetched.
    """
    from docker.errors import DockerException

    image = os.environ.get("CUCKMQ_TEST_PG_IMAGE") or f"postgres:{major or 18}"
    settings = " ".join(f"-c {name}={value}" for name, value in UNSAFE_SETTINGS.items())
    try:
        # Without a driver it gives a DSN that libpq can read.
        container = container_class()(image, driver=None).with_command(f"postgres {settings}")
        container.start()
    except (DockerException, OSError, RuntimeError) as error:
        raise ContainerError(str(error)) from error
    return Container(container.get_connection_url(), container)


def container_class() -> Any:
    """Import testcontainers' class for PostgreSQL. Its module has moved in 4.15."""
    try:
        from testcontainers.community.postgres import PostgresContainer
    except ModuleNotFoundError:
        from testcontainers.postgres import PostgresContainer
    return PostgresContainer
