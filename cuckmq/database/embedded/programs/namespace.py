"""Run a command in a user namespace of its own: `namespace.py command...`.

PostgreSQL refuses to run as root. In here, root is an ordinary user to itself, while to everybody
else, and to every file, it is still root: nothing has to change its owner, its mode or its place.
It gives up root's power to pass by permissions, though. It fails, saying so, where the kernel or a
container forbids namespaces.
"""

import ctypes
import os
import pwd
import sys

CLONE_NEWUSER = 0x10000000


def main(command: list[str]) -> None:
    """Enter a new namespace, be somebody in it, and become the command."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"no user namespace for us: {os.strerror(ctypes.get_errno())}")
    # initdb looks its user up, so it must be one that has a name; which one does not matter.
    somebody = next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{somebody.pw_uid} {uid} 1")
    write("/proc/self/gid_map", f"{somebody.pw_gid} {gid} 1")
    os.execv(command[0], command)


def write(path: str, text: str) -> None:
    """Write in one call, as the files of a namespace demand."""
    file = os.open(path, os.O_WRONLY)
    os.write(file, text.encode())
    os.close(file)


if __name__ == "__main__":
    main(sys.argv[1:])
