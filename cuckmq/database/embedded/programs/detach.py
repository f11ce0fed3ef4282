"""Run a command as nobody's child: `detach.py command...`.

It returns at once. The command gets a session of its own, so that neither the terminal's Ctrl-C nor
its closing reaches it, and no process ever has to wait for it. Files that were open stay open: that
is how locks are handed on.
"""

import os
import sys


def main(command: list[str]) -> None:
    """Fork, let the parent leave, and become the command."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
