"""Run a command as another user: `become.py uid gid command...`.

The interpreter starts as root, since it may lie where the other cannot go, and only the command is
the other's.
"""

import os
import sys


def main(uid: int, gid: int, command: list[str]) -> None:
    """Give up all that root has, and become the command."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
