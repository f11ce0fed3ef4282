"""Stop a server when its last owner is gone: `reaper.py home owners server reaper [temporary]`.

It sleeps in the kernel until nobody holds the owners' lock, however they went, then holds it alone
while it stops the server, so that who comes now waits and then starts afresh. `sharing` tells the
whole story. The three locks come as open files, so nothing depends on their paths still being there.

Args of the program:
    home: the folder of this major version.
    owners, server: open files of these locks, not held.
    reaper: an open file of this lock, held: there is one reaper at a time.
    temporary: if given, a folder to be removed at the end.
"""

import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path

#: A fast shutdown takes well under a second. A server that has not gone after this many seconds
#: is told to leave at once, and recovers at its next start.
PATIENCE_SECS = 10.0
LOOK_SECS = 0.02


def main(home: str, owners: str, server: str, reaper: str, temporary: str | None = None) -> None:
    """Wait, stop the server, tidy up, leave."""
    os.chdir("/")
    fcntl.flock(int(owners), fcntl.LOCK_EX)
    stop(home, int(server))
    tidy(home, temporary)
    # First the reaper's lock, then (by leaving) the owners': see `sharing`.
    os.close(int(reaper))


def stop(home: str, server: int) -> None:
    """Shut the server down, and return when none of its processes is left."""
    begun = time.monotonic()
    told: tuple[int, int] | None = None
    while not seize(server):
        pid = postmaster_pid(home)
        how = signal.SIGINT if time.monotonic() < begun + PATIENCE_SECS else signal.SIGQUIT
        if pid is not None and told != (pid, how):
            tell(pid, how)
            told = (pid, how)
        time.sleep(LOOK_SECS)


def seize(lock: int) -> bool:
    """Whether the lock could be had, which means that nobody has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def postmaster_pid(home: str) -> int | None:
    """Read who the server is. None while it has not said so, or no longer does."""
    try:
        return int(Path(home, "server", "data", "postmaster.pid").read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None


def tell(pid: int, how: int) -> None:
    """Send a signal. A server that left by itself in between is what we want."""
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


def tidy(home: str, temporary: str | None) -> None:
    """Remove what lies outside of the home: its socket's folder, and if temporary, all."""
    quarters = Path(home, "server")
    remove_linked(quarters / "socket")
    if temporary is not None:
        remove_linked(quarters)
        shutil.rmtree(temporary, ignore_errors=True)


def remove_linked(link: Path) -> None:
    """Remove a link, and the folder that was made for it."""
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
        link.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
