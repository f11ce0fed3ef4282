"""One process that runs work functions: the worker's side of the talk."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Final, cast

from cuckmq._runtime.frames import Frame, FrameReader, write_frame
from cuckmq.errors import ProcessDied
from cuckmq.progress import Said

if sys.platform != "win32":
    import fcntl
    import termios

_PROGRAM: Final = (
    "import json, sys; path, *rest = json.loads(sys.argv.pop()); sys.path[:] = path; "
    "from cuckmq._runtime.child_main import main; main(*rest)"
)
_LOOK_SECS: Final = 1.0


class Child:
    """A process of its own, made by starting Python anew.

    Never a fork: that would copy locks which threads hold at that moment, and connections that are not to
    be shared. And not multiprocessing's spawn, which runs the program's main module once more.

    Args:
        beat_secs: how often it is to beat.
        on_up: called when it has come up.

    Attributes:
        num_jobs: how many it has taken up.
        num_silent_looks: how often in a row the warden has looked without a word from it since.
        has_spoken: whether Python runs in it.
        is_up: whether it has found what it is to run.
        blame: why it was killed, if the warden did.
        is_condemned: whether it was killed because its job was to stop.
    """

    def __init__(self, beat_secs: float, on_up: Callable[[], None]) -> None:
        about = json.dumps([sys.path, os.getpid(), beat_secs])
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _PROGRAM, about],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._inlet = cast("IO[bytes]", self._process.stdin)
        self._outlet = cast("IO[bytes]", self._process.stdout)
        self._answers = FrameReader(self._outlet.fileno(), self._is_over)
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(self._outlet, select.POLLIN)
        self._saying = threading.Lock()
        self._on_up = on_up
        self._num_told_bytes = 0
        self.num_jobs = 0
        self.num_silent_looks = 0
        self.has_spoken = False
        self.is_up = False
        self.blame: str | None = None
        self.is_condemned = False

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def ask(self, order: Frame, on_said: Callable[[Said], None]) -> Frame:
        """Have a work function run. Blocks until its end.

        Args:
            order: which, and on what.
            on_said: called with what it says of its job meanwhile.

        Raises:
            ProcessDied: the process did. `has_begun` tells whether the work function may have.
        """
        is_ordered = False
        self.num_jobs += 1
        self.num_silent_looks = 0
        try:
            self._num_told_bytes = 0
            self._say(order)
            is_ordered = True
            while (frame := self._answers.read()) is not None:
                self.num_silent_looks, self.has_spoken = 0, True
                if frame["kind"] == "up":
                    self.is_up = True
                    self._on_up()
                elif frame["kind"] == "said":
                    on_said(Said(*frame["said"]))
                elif frame["kind"] != "beat":
                    return frame
        except (OSError, ValueError):
            pass  # A broken pipe, or half a frame: it is dead or will be.
        raise self._died(has_begun=is_ordered and self._has_read_order())

    def tell(self, ending: str) -> None:
        """Say to the work function that it should stop. May block if the process does not listen."""
        with contextlib.suppress(OSError):  # It is gone, so it has stopped.
            self._num_told_bytes = self._say({"ending": ending})

    def kill(self, blame: str | None = None) -> None:
        """End it now. Twice is once."""
        self.blame = self.blame or blame
        self._process.kill()

    def condemn(self) -> None:
        """End it now, because its job is to stop: a death that tells nothing."""
        self.is_condemned = True
        self._process.kill()

    def close(self) -> None:
        """End it, and leave nothing of it."""
        self._process.kill()
        self._process.wait()
        self._inlet.close()
        self._outlet.close()

    def _say(self, frame: Frame) -> int:
        with self._saying:
            return write_frame(self._inlet.fileno(), frame)

    def _has_read_order(self) -> bool:
        """Whether it had taken the order out of the pipe, and begun; it says nothing when it does.

        What was said after the order may still lie there. Where nobody can tell, it has begun.
        """
        if sys.platform == "win32":
            return True
        unread = fcntl.ioctl(self._inlet.fileno(), termios.FIONREAD, bytes(4))
        return int.from_bytes(unread, sys.byteorder) <= self._num_told_bytes

    def _is_over(self) -> bool:
        """Wait until there is something to read. Whether there is not, and the process has ended.

        Its end does not always end the pipe: a process that a work function has forked may hold it open.
        """
        if self._poll is None:
            return False
        while not self._poll.poll(_LOOK_SECS * 1000):
            if self._process.poll() is not None:
                return not self._poll.poll(0)
        return False

    def _died(self, *, has_begun: bool) -> ProcessDied:
        self._process.kill()
        code = self._process.wait()
        number = -code if code < 0 else None
        if self.blame is not None:
            how = f"was killed: {self.blame}"
        elif number is not None:
            how = f"was killed by {_name_of(number)}"
            if number == signal.SIGKILL:
                how += "; if nobody did, the system ran out of memory"
        else:
            how = f"ended with exit code {code}"
        return ProcessDied(f"process {self.pid} {how}", signal=number, has_begun=has_begun)


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
