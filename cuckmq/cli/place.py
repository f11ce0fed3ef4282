"""Say which database it is, without its password."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from cuckmq.database.connect import connect_sync
from cuckmq.errors import ConfigurationError


def server_version(dsn: str) -> str:
    """Ask the server for its version, such as `18.4`.

    Raises:
        ConfigurationError: the DSN cannot be read.
        psycopg.OperationalError: the server cannot be reached.
    """
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"the DSN cannot be read: {str(error).strip()}") from None
    with connect_sync(dsn) as connection:
        version = connection.info.parameter_status("server_version") or "of a version it does not tell"
    return version.split(" ")[0]


def place_of(dsn: str) -> str:
    """Name the place a DSN leads to: `dbname at host:port`."""
    parts = conninfo_to_dict(dsn)
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    port = f":{parts['port']}" if parts.get("port") and not str(host).startswith("/") else ""
    return f"{parts.get('dbname') or parts.get('user') or 'default database'} at {host}{port}"
