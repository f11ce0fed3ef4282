"""Processes for sync work functions that are to have one: as many as the worker has lanes, made when needed.

Each has a thread of the worker that talks with it, blocking; so the pool is Threads, and what they call.

To start one takes a processor for half a second, which is a thousand short jobs. So another is started only
when a job has waited for one, and no more at once than there are processors to start them. Until there is one
for each processor it need not have waited for long (HASTE_SECS). Beyond that, more of them help only jobs
that wait for something themselves: so it must have waited longer (GROW_SECS), or the last start be a while
ago (GROW_PAUSE_SECS). Short jobs are done by few; long ones soon have a process each.

Whose fault a death is:

- A process that dies while it runs a job is that job's: the attempt ends in the error ProcessDied, which
  counts as any other. Nobody else's job is touched, and the next job that needs a process has a new one made.
- One that died while idle, or before it came to the job, is nobody's: another takes the job up.
- Ten deaths within 15 s are no job's fault any more (a broken library, a machine without memory), and going
  on would burn the tries of everything in the queue. The pool breaks: it runs nothing more, what comes goes
  back with no try counted, and the worker is told, which ends itself.

A process can be killed, a thread cannot. So a job that is cancelled or out of time hears of it by
attempt.is_cancelled, and its process is killed if it has not come back after GRACE_SECS. Where the job was
given to another worker, or this one lets go of it, its process is killed at once.

Not concurrent.futures: there the death of one process breaks the pool for good and fails all that it runs.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from cuckmq._runtime.answers import understand
from cuckmq._runtime.child import Child
from cuckmq._runtime.child_attempt import facts_of
from cuckmq._runtime.frames import Frame
from cuckmq._runtime.threads import Threads
from cuckmq.attempt import Attempt
from cuckmq.errors import ProcessDied
from cuckmq.log import get_log
from cuckmq.protocol.exchange import Row

_logger = get_log("cuckmq.worker")

GRACE_SECS: Final = 3.0
HASTE_SECS: Final = 0.005
GROW_SECS: Final = 0.05
GROW_PAUSE_SECS: Final = 5.0
MAX_BEAT_SECS: Final = 1.0
STORM_DEATHS: Final = 10
STORM_SECS: Final = 15.0


class Processes:
    """A bounded set of processes, each started when it is first needed.

    Args:
        max_processes: how many may run at once.
        name: what their threads are called.
        ping_secs: how long one that runs a job may be silent.
        max_jobs: how many jobs one runs before another takes its place.
        on_storm: told why, when the pool breaks. Called on the event loop.

    Attributes:
        busy: those that run a job.
        is_broken: whether too many have died.
    """

    def __init__(
        self,
        max_processes: int,
        name: str,
        *,
        ping_secs: float,
        max_jobs: int,
        on_storm: Callable[[str], None],
    ) -> None:
        self._threads = Threads(f"{name}-process", may_grow=self._may_grow)
        self._beat_secs = min(ping_secs / 4, MAX_BEAT_SECS)
        self._max_jobs = max_jobs
        self._on_storm = on_storm
        self._lock = threading.Lock()
        self._own = threading.local()
        self._children: set[Child] = set()
        self._deaths: deque[float] = deque(maxlen=STORM_DEATHS)
        self._num_processors = os.cpu_count() or 1
        self._came_up_at = 0.0
        self._is_closed = False
        self.busy: set[Child] = set()
        self.is_broken = False

    async def run(self, target: str, row: Row, attempt: Attempt[Any]) -> Any:
        """Run a job's work function in a process, and return what it returned, or raise what it raised.

        If the waiting is cancelled the process has come back, or is dead, when this ends.

        Raises:
            ProcessDied: its process did.
            CancelledError: the attempt was told to stop.
        """
        order = {
            "target": target, "payload": row.payload, "attempt": facts_of(attempt, row),
        }  # fmt: skip
        visit = _Visit()
        talk = self._threads.begin(self._converse, order, visit, attempt)
        try:
            return understand(await asyncio.shield(talk))
        except asyncio.CancelledError:
            await _see_off(visit, talk, attempt)
            raise
        except ProcessDied as death:
            self._check_storm()
            if not death.has_begun:
                attempt.ending = attempt.ending or "stopping"
            raise

    def close(self) -> None:
        """Kill them all. Blocks until they are gone."""
        with self._lock:
            self._is_closed = True
            idle = self._children - self.busy
            for child in self.busy:
                child.kill()
        for child in idle:
            child.close()
        self._threads.close()

    def _may_grow(self, waited_secs: float) -> bool:
        """Tell whether to start another, if a job has waited for so long."""
        with self._lock:
            num_starting = self._threads.num_threads - sum(child.is_up for child in self._children)
        up_secs = time.monotonic() - self._came_up_at
        if waited_secs < HASTE_SECS or num_starting >= self._num_processors:
            return False
        if self._threads.num_threads < self._num_processors or min(waited_secs, up_secs) >= GROW_SECS:
            return True
        return up_secs >= GROW_PAUSE_SECS and not num_starting

    def _check_storm(self) -> None:
        if self.is_broken and not self._is_closed:
            self._on_storm(f"{STORM_DEATHS} processes of its pool died within {STORM_SECS:g} s")

    def _converse(self, order: Frame, visit: _Visit, attempt: Attempt[Any]) -> Frame:
        """Have a process run the work function. In one of the threads."""
        while True:
            child = self._take(visit)
            try:
                answer = child.ask(order, attempt.hear)
            except ProcessDied as death:
                self._bury(child, death)
                if death.has_begun or visit.is_over or self.is_broken or self._is_closed:
                    raise
            else:
                self._give_back(child)
                return answer

    def _take(self, visit: _Visit) -> Child:
        """Take the process of this thread, or make it one."""
        child: Child | None = getattr(self._own, "child", None)
        if child is None and not (visit.is_over or self.is_broken or self._is_closed):
            child = self._own.child = Child(self._beat_secs, self._note_start)
        with self._lock:
            if child is not None:
                self._children.add(child)
                if not self.is_broken and not self._is_closed and visit.begin(child):
                    self.busy.add(child)
                    return child
        if child is not None:
            self._give_back(child)
        raise ProcessDied("its job was to stop, or the pool is closed", signal=None, has_begun=False)

    def _note_start(self) -> None:
        self._came_up_at = time.monotonic()

    def _give_back(self, child: Child) -> None:
        with self._lock:
            self.busy.discard(child)
        if child.num_jobs >= self._max_jobs or self._is_closed:
            self._part_with(child)

    def _part_with(self, child: Child) -> None:
        self._own.child = None
        child.close()
        with self._lock:
            self._children.discard(child)

    def _bury(self, child: Child, death: ProcessDied) -> None:
        self._part_with(child)
        now = time.monotonic()
        with self._lock:
            self.busy.discard(child)
            if child.is_condemned or self._is_closed:
                return
            self._deaths.append(now)
            if len(self._deaths) == STORM_DEATHS and now - self._deaths[0] <= STORM_SECS:
                self.is_broken = True
        _logger.warning("%s", death)


class _Visit:
    """One job's stay in the pool: which process has it, if any yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None
        self.is_over = False

    def begin(self, child: Child) -> bool:
        """Note who has it. False for a job that is to stop by now: it is not begun."""
        with self._lock:
            if not self.is_over:
                self._child = child
            return not self.is_over

    @property
    def has_begun(self) -> bool:
        """Whether a process has it."""
        return self._child is not None

    def tell(self, ending: str) -> None:
        """Say to the work function that it should stop."""
        if self._child is not None:
            self._child.tell(ending)

    def end(self) -> bool:
        """Kill whoever has it. False if nobody has, and nobody will."""
        with self._lock:
            self.is_over = True
            if self._child is not None:
                self._child.condemn()
            return self._child is not None


async def _see_off(visit: _Visit, talk: asyncio.Future[Frame], attempt: Attempt[Any]) -> None:
    try:
        if attempt.ending in ("cancelled", "timeout") and visit.has_begun:
            # In a thread, since a process that does not listen may let it wait, until it is killed.
            asyncio.get_running_loop().run_in_executor(None, visit.tell, attempt.ending)
            await asyncio.wait([talk], timeout=GRACE_SECS)
    finally:
        if not talk.done():
            if visit.end():
                await asyncio.wait([talk])
            else:
                talk.cancel()
        if not talk.cancelled():
            talk.exception()  # nobody else will ask, and asyncio would complain
