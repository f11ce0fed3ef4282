"""A PgBouncer in transaction mode before a server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.eventually import eventually_sync


def free_port() -> int:
    """A TCP port of the loopback that nobody uses at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def pgbouncer(server_dsn: str, folder: Path, *, pool_size: int = 10) -> Iterator[str]:
    """Run PgBouncer before a server that listens on TCP; gives the DSN that goes through it."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    assert binary, "pgbouncer is not installed: apt-get install pgbouncer"
    server = conninfo_to_dict(server_dsn)
    port = free_port()
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"""
[databases]
* = host={server["host"]} port={server["port"]} user={server["user"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
admin_users = {server["user"]}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
"""
    )
    # It refuses to run as root.
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([binary, *as_user, str(settings)], stderr=subprocess.DEVNULL)
    try:
        dsn = make_conninfo(host="127.0.0.1", port=port, dbname=server.get("dbname"), user=server.get("user"))

        def answers() -> bool:
            try:
                with psycopg.connect(dsn, connect_timeout=2):
                    return True
            except psycopg.OperationalError as error:
                raise AssertionError(str(error)) from error

        eventually_sync(answers)
        yield dsn
    finally:
        process.terminate()
        process.wait(10)
