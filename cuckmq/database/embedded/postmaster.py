"""Start the server, and see how it does.

The server inherits the server lock from who starts it. So that lock, not a file with a process id,
tells whether any process of the server is left: the kernel drops it with the last of them.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cuckmq.database.embedded.account import Account, run_plainly
from cuckmq.database.embedded.binaries import Binaries
from cuckmq.database.embedded.home import PORT, Home
from cuckmq.database.embedded.programs import program

#: For databases that may be lost with the machine's power. A crash of the server loses nothing: what
#: was committed has been handed to the kernel. `synchronous_commit` stays on for that reason; off, it
#: would keep commits in the server's own memory for a while, and gain little where nothing is synced.
#: Shared memory in files of the data folder: elsewhere a killed server would leave it behind for good.
UNSAFE: Final[Mapping[str, str]] = {
    "fsync": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",
}


def launch(
    home: Home, binaries: Binaries, account: Account, *, settings: Mapping[str, str], server_lock: int
) -> None:
    """Start the server and return at once; `is_ready` tells when it is there.

    Args:
        home: where it lives, furnished and with data.
        binaries: its programs.
        account: as whom it runs.
        settings: by name, over those of the data folder.
        server_lock: held; the server inherits it, and the caller closes it.
    """
    forget_the_dead(home)
    # On no network unless asked to; where its socket is, is not for anybody to say.
    socket = {"unix_socket_directories": f'"{home.socket}"', "port": str(PORT)}
    settled = {"listen_addresses": "", **settings, **socket}
    options = [part for name, value in settled.items() for part in ("-c", f"{name}={value}")]
    command = [*account.prefix, binaries.path("postgres"), "-D", str(home.data), *options]
    if home.log.exists():
        home.log.replace(home.log.with_name("log.previous"))
    with home.log.open("wb") as log:
        # `detach` comes before the account's prefix: that only changes what is detached already.
        run_plainly(
            program("detach", *command), stdout=log, stderr=log, pass_fds=(server_lock,)
        ).check_returncode()


def is_ready(home: Home) -> bool:
    """Whether the server lets clients in.

    It writes so in its file; but the file of one that was killed says so too, and that one does not
    answer on its socket.
    """
    lines = read_pid_file(home.data)
    # A standby lets clients in to read.
    return len(lines) >= 8 and lines[7].strip() in ("ready", "standby") and answers(home.socket)


def answers(folder: Path) -> bool:
    """Whether somebody listens on the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(folder / f".s.PGSQL.{PORT}")) == 0


def postmaster_pid(home: Home) -> int | None:
    """Return the process id of the server, or None while it has not written it down."""
    lines = read_pid_file(home.data)
    return int(lines[0]) if lines else None


def read_pid_file(data: Path) -> list[str]:
    """Return the lines of `postmaster.pid`; none if it is not there."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def interrupt(home: Home, how: signal.Signals) -> None:
    """Tell the server to stop: SIGINT in good order, SIGQUIT at once. Nothing happens if it is gone."""
    pid = postmaster_pid(home)
    if pid is not None:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return


def forget_the_dead(home: Home) -> None:
    """Remove the files in which a server of the past says that it lives. The server lock must be held.

    PostgreSQL refuses to start if the process id in them belongs to anybody: after a restart of the
    machine that may be an unrelated process, and where nobody buries dead processes, as in many
    containers, the corpse of the last server. We know better, save for one case: a server that was
    started on this data by hand. That one works in the data folder, which Linux lets us see; elsewhere
    PostgreSQL decides.
    """
    pid = postmaster_pid(home)
    if sys.platform != "linux" or (pid is not None and works_in(pid, home.data)):
        return
    name = f".s.PGSQL.{PORT}"
    for file in (home.data / "postmaster.pid", home.socket / f"{name}.lock", home.socket / name):
        file.unlink(missing_ok=True)


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process works in a folder. A corpse works nowhere; who hides it from us is in doubt."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
