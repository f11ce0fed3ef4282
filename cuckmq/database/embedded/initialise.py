"""Make a data folder, whole or not at all.

`initdb` works in a folder of another name, which gets its true name when all is done. One who is
killed in between leaves rubbish, never half a database; the next one removes it. `initdb` inherits
the start lock, so the next one also waits for an `initdb` that outlived who had started it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cuckmq.database.embedded.account import Account
from cuckmq.database.embedded.binaries import Binaries
from cuckmq.database.embedded.home import Home
from cuckmq.errors import NoDatabase


def initialise(home: Home, binaries: Binaries, account: Account, *, durable: bool, start_lock: int) -> None:
    """Make the data folder unless it is there. To be called while holding the start lock.

    Raises:
        NoDatabase: initdb failed. The message has its words.
    """
    if home.data.exists():
        return
    quarters = home.data.parent
    for rubbish in quarters.glob("initdb-*"):
        shutil.rmtree(rubbish)
    making = Path(tempfile.mkdtemp(prefix="initdb-", dir=quarters))
    account.own(making)
    # Whoever reaches the socket may come in: the folder around it keeps strangers out.
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions"]
    sync = [] if durable else ["-N"]
    done = account.run(
        [binaries.path("initdb"), "-D", str(making), *options, *sync],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(start_lock,),
    )
    if done.returncode != 0:
        shutil.rmtree(making)
        raise NoDatabase(
            f"{binaries.path('initdb')} could not make a database in {quarters}:\n{done.stdout.strip()}"
        )
    making.rename(home.data)
    if durable:
        _flush(quarters)


def _flush(folder: Path) -> None:
    """Write the names in a folder to disk: after a power cut, the database must still have its own."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
