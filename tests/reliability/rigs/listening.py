"""A server that listens on an address, for whoever comes from there."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.support.database import PrivateCluster


def own_address() -> str:
    """Draw an address of the loopback. A server's port is fixed; its address keeps it from meeting others."""
    return f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(1, 250)}"


def listening_server(new_cluster: Callable[..., PrivateCluster], near: str, **settings: str) -> str:
    """Make a server that listens on this address of ours, and trusts its net. Gives a plain DSN."""
    cluster = new_cluster(settings={"listen_addresses": near, **settings})
    with psycopg.connect(cluster.dsn, autocommit=True) as connection:
        (rules,) = connection.execute("select current_setting('hba_file')").fetchone() or ("",)
        with Path(rules).open("a") as file:
            file.write(f"host all all {near}/30 trust\n")
        connection.execute("select pg_reload_conf()")
    return f"host={near} port=5432 user=postgres dbname=postgres"
