"""How many processes share one server, and how it stops after the last of them.

Four locks (`locks`), each held by those whose life it stands for, and dropped by the kernel when
they die of whatever cause. No process id is trusted, no count is kept, nothing is polled.

**owners**: every user of the server holds it, shared. **reaper**: one small process per home holds
it. That process waits for the *owners* lock, alone: it gets it when the last owner is gone, by
`close()`, by exit or by kill -9. Holding it, it stops the server. Who comes meanwhile waits for his
share, and then starts the server afresh.

Somebody who starts first takes his share of *owners*, then makes sure that there is a reaper, then
that there is a server. In this order there is no moment at which a server runs that nobody will
stop: he may be killed anywhere in between.

*Is there a reaper?* Who can take its lock knows that there is none, and hands the very lock that he
took to a new one, as an open file. There is no gap in which two could start one. A reaper that is
about to leave drops its own lock first and the *owners* second; so whoever got his share of *owners*
either sees a reaper that still waits, and will serve him too, or sees none.

**server**: the same trick. The server inherits the lock from who launches it, and all its processes
hold it. Who can take it knows that not one of them is left, not even an orphan of a postmaster that
was killed; only then may a new one be launched on the data, and only then has it stopped.

**start**: one starts at a time, the others wait and find the server there. An `initdb` inherits it
(`initialise`).

A process that forks shares its share with its children: the server stays for them, too. Programs it
runs do not inherit it.

What can still go wrong: the reaper itself may be killed. Then the server runs on without owners; the
next to start it makes a new reaper. And if somebody deletes the folder of a running server, the
server notices within a minute and stops by itself.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cuckmq.database.embedded.home import Home
from cuckmq.database.embedded.locks import open_lock, share, try_seize
from cuckmq.database.embedded.programs import program


def join(home: Home, *, temporary: Path | None) -> int:
    """Become an owner of the server, whether or not it runs.

    Args:
        home: of the server.
        temporary: a folder that shall vanish with the last owner.

    Returns:
        The share: an open file. To close it is to leave.
    """
    mine = share(home.owners)
    try:
        ensure_reaper(home, temporary)
    except BaseException:
        os.close(mine)
        raise
    return mine


def ensure_reaper(home: Home, temporary: Path | None) -> None:
    """Make sure that somebody waits to stop the server. To be called by an owner."""
    reaper = try_seize(home.reaper)
    if reaper is None:
        return
    # Opened anew, not copied: a copy would be the same lock, and our share would count as his.
    owners, server = open_lock(home.owners), open_lock(home.server)
    locks = (owners, server, reaper)
    args = [str(home.folder), *map(str, locks), *([] if temporary is None else [str(temporary)])]
    try:
        subprocess.run(
            program("detach", *program("reaper", *args)),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=locks,
        )
    finally:
        for lock in locks:
            os.close(lock)
