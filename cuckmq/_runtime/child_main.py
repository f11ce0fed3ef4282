"""A process that runs work functions: its own side of the talk.

Three threads. The main one runs work functions, one after the other, as most libraries want it. One reads
what the worker says, and ends the process when the worker is gone, whatever the main one does. One beats,
so that the worker knows that Python runs here: code in C that keeps the interpreter to itself, a process that
is stopped or swaps, all silence it. On Linux the kernel kills the process with its worker, too, even while
such code keeps the other threads from noticing.

SIGINT and SIGTERM are the worker's business: a terminal and systemd send them to all processes of a group,
and the worker drains. Handlers, and not SIG_IGN, which programs that a job starts would inherit.

Standard input and output are the talk's, so a work function gets others: nothing to read, and what it prints
goes to standard error.
"""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import sys
import threading
import time
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final, NamedTuple

from cuckmq._runtime.answers import say_error, say_result
from cuckmq._runtime.child_attempt import ChildAttempt
from cuckmq._runtime.frames import Frame, FrameReader, write_frame
from cuckmq.outcome import Verdict
from cuckmq.payload import Codec
from cuckmq.signature import read_signature
from cuckmq.target import resolve

_PR_SET_PDEATHSIG: Final = 1


class _Work(NamedTuple):
    function: Any
    num_arguments: int
    payload: Codec[Any]
    result: Codec[Any]


class ChildMain:
    """Runs what it is told to, until the worker is gone.

    Args:
        inlet: where the worker speaks.
        outlet: where it listens.
        beat_secs: how often to beat.
    """

    def __init__(self, inlet: int, outlet: int, beat_secs: float) -> None:
        self._inlet = inlet
        self._outlet = outlet
        self._beat_secs = beat_secs
        self._orders: SimpleQueue[tuple[Frame, ChildAttempt]] = SimpleQueue()
        self._attempt: ChildAttempt | None = None
        self._saying = threading.Lock()
        self._is_up = False

    def run(self) -> None:
        """Begin."""
        threading.Thread(target=self._listen, name="cuckmq-listen", daemon=True).start()
        threading.Thread(target=self._beat, name="cuckmq-beat", daemon=True).start()
        while True:
            self._say(self._carry_out(*self._orders.get()))

    def _carry_out(self, order: Frame, attempt: ChildAttempt) -> Frame:
        try:
            work = _find(order["target"])
            if not self._is_up:
                self._is_up = True
                self._say({"kind": "up"})
            arguments = (work.payload.decode(order["payload"]), attempt)[: work.num_arguments]
            value = work.function(*arguments)
            if isinstance(value, Verdict):
                return say_error(value)
            return say_result(work.result.encode(value))
        except BaseException as error:  # noqa: BLE001 - whatever user code raises ends its job and nothing else
            return say_error(error)

    def _listen(self) -> None:
        orders = FrameReader(self._inlet)
        while (frame := orders.read()) is not None:
            if "ending" in frame:
                if self._attempt is not None:
                    self._attempt.ending = frame["ending"]
            else:
                self._attempt = ChildAttempt(frame["attempt"], self._say)
                self._orders.put((frame, self._attempt))
        os._exit(0)  # The worker is gone, or wants this process no more.

    def _beat(self) -> None:
        while True:
            self._say({"kind": "beat"})
            time.sleep(self._beat_secs)

    def _say(self, frame: Frame) -> None:
        try:
            with self._saying:
                write_frame(self._outlet, frame)
        except OSError:
            os._exit(0)


@functools.cache
def _find(target: str) -> _Work:
    function = resolve(target)
    signature = read_signature(function, target)
    return _Work(
        function,
        signature.num_arguments,
        Codec(signature.payload, f"the payload of {target}"),
        Codec(signature.result, f"the result of {target}"),
    )


def _take_pipes() -> tuple[int, int]:
    """Keep the pipes, and give the work functions others under the usual numbers."""
    inlet, outlet = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inlet, outlet


def _leave_it_to_the_worker(number: int, frame: FrameType | None) -> None:
    """Do nothing."""


def _die_with(parent_pid: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            os._exit(0)


def main(parent_pid: int, beat_secs: float) -> None:
    """Be such a process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_it_to_the_worker)
    inlet, outlet = _take_pipes()
    _die_with(parent_pid)
    ChildMain(inlet, outlet, beat_secs).run()
