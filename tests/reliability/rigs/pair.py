"""Two servers, of which one writes and the other follows it, and either may become the other.

A standby is made as `pg_basebackup` makes one, in SQL and by copying files, so that any server's binaries
will do. Whatever a crashed primary has left is thrown away: it may have written what nobody acknowledged.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Final

import psycopg

from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.database.embedded.account import choose_account
from cuckmq.database.embedded.home import PORT
from tests.support.database import PrivateCluster
from tests.support.database.place import place
from tests.support.database.settings import SETTINGS, wanted_major
from tests.support.eventually import eventually_sync

#: What belongs to a running server and not to its data.
LEFT_OUT: Final = frozenset(
    {"postmaster.pid", "postmaster.opts", "standby.signal", "pg_internal.init", "backup_label.old"}
)
EMPTIED: Final = frozenset(
    {
        "pg_wal",
        "pg_replslot",
        "pg_dynshmem",
        "pg_notify",
        "pg_serial",
        "pg_snapshots",
        "pg_stat_tmp",
        "pg_subtrans",
    }
)


class Pair:
    """A primary and its standby. `crash()`, `promote()` and `follow()` play a failover.

    Args:
        is_sync: whether a commit waits until the standby has it.

    Attributes:
        dsn: names both servers, and goes to the one that takes writes.
    """

    def __init__(self, *, is_sync: bool) -> None:
        self._is_sync = is_sync
        self.primary = _serve()
        self.standby = _serve()
        # The second one only lends its home: what is in it is replaced by a copy of the first.
        hosts = ",".join(str(_socket(each)) for each in (self.primary, self.standby))
        self.dsn = f"host={hosts} port={PORT} user=postgres dbname=postgres target_session_attrs=read-write"
        self.standby.stop(at_once=True)
        self.follow()

    def crash(self) -> None:
        """Kill the primary as only the kernel can. Returns when all of its processes are gone."""
        self.primary.kill()

    def promote(self) -> None:
        """Have the standby take the place of the primary. Returns when it takes writes."""
        with psycopg.connect(self.standby.dsn, autocommit=True) as connection:
            assert connection.execute("select pg_promote(true, 30)").fetchone() == (True,)
        self.primary, self.standby = self.standby, self.primary

    def fall_behind(self) -> None:
        """Have the standby hear no more of what is written. Returns when it is deaf."""
        with psycopg.connect(self.standby.dsn, autocommit=True) as connection:
            connection.execute("alter system set primary_conninfo = ''")
            connection.execute("select pg_reload_conf()")
            eventually_sync(
                lambda: connection.execute("select count(*) from pg_stat_wal_receiver").fetchone() == (0,)
            )

    def demote(self) -> None:
        """Have the primary refuse to write, and leave its sessions alive."""
        with psycopg.connect(self.primary.dsn, autocommit=True) as connection:
            connection.execute("alter system set default_transaction_read_only = on")
            connection.execute("select pg_reload_conf()")

    def follow(self) -> None:
        """Make the server that is down the standby of the one that is up. Returns when it has caught up."""
        home = self.standby.server._home
        _copy(self.primary, home.data)
        (home.data / "standby.signal").touch()
        with (home.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = 'host={_socket(self.primary)} port={PORT} user=postgres'\n")
        account = choose_account()
        for path in (home.data, *home.data.rglob("*")):
            account.own(path)
        self.standby.start()
        with psycopg.connect(self.primary.dsn, autocommit=True) as connection:
            names = "*" if self._is_sync else ""
            connection.execute(f"alter system set synchronous_standby_names = '{names}'")
            connection.execute("select pg_reload_conf()")
            wanted = ("streaming", "sync" if self._is_sync else "async")
            eventually_sync(lambda: _standing(connection) == wanted, timeout_secs=30)

    def close(self) -> None:
        """Stop both, and remove what they have written."""
        for cluster in (self.primary, self.standby):
            cluster.server.close()


def _serve() -> PrivateCluster:
    # Time enough for a standby to fetch what was written while it was copied.
    settings = {**SETTINGS, "wal_keep_size": "256MB", "wal_receiver_status_interval": "1s"}
    return PrivateCluster(EmbeddedPostgres.temporary(place(), major=wanted_major(), settings=settings))


def _socket(cluster: PrivateCluster) -> Path:
    return cluster.server._home.socket


def _standing(connection: psycopg.Connection[Any]) -> tuple[Any, ...] | None:
    return connection.execute("select state, sync_state from pg_stat_replication").fetchone()


def _copy(primary: PrivateCluster, data: Path) -> None:
    """Put a copy of a running server's data in the place of another's."""
    shutil.rmtree(data, ignore_errors=True)
    with psycopg.connect(primary.dsn, autocommit=True) as connection:
        connection.execute("select pg_backup_start('standby', true)")
        _copy_files(primary.server._home.data, data)
        (label,) = connection.execute("select labelfile from pg_backup_stop(false)").fetchone() or ("",)
    (data / "backup_label").write_text(label)


def _copy_files(source: Path, target: Path) -> None:
    for folder, names, files in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(mode=0o700)
        if place.parent == target and place.name in EMPTIED:
            # Folders below these are made by the server as it wants them.
            names.clear()
            continue
        for name in files:
            if name not in LEFT_OUT:
                _copy_file(Path(folder, name), place / name)


def _copy_file(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        return  # a table that was dropped meanwhile
    target.chmod(0o600)
