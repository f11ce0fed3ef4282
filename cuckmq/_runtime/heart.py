"""The heart: tells the queue that this worker lives, and hears what it has lost.

It beats in a thread of its own, on a connection of its own, so a work function that blocks the event
loop for a minute costs nobody a lease. Each beat carries the attempts that run, and is answered with
those which the queue has given to others, or wants cancelled.

How a worker learns that it is dead: the queue says so in answer to a beat; or no beat got through
for so long, by this process's own monotonic clock, that the lease may have run out (`lease`). The clock
is read before a beat is sent, not after it is answered, so what this side believes always ends first. Then
everything is let go before another worker can have it, the beat that is stuck in the network is cut off, and
the worker registers anew when the queue answers again.

On a direct connection the heart also holds the worker's advisory lock, which the server frees the
moment the process is gone: a kill -9 is noticed after two missed beats instead of a whole lease.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from cuckmq._runtime.lease import Lease
from cuckmq._runtime.running import Running
from cuckmq.database.connect import connect_sync, cut, is_direct
from cuckmq.database.database import Database
from cuckmq.database.run import run_sync
from cuckmq.errors import CuckmqError
from cuckmq.log import get_log
from cuckmq.protocol.workers import Pulse, heartbeat, hold_worker

_logger = get_log("cuckmq.heart")


class Heart:
    """Beats for one worker.

    Args:
        database: where.
        beat_secs: how often.
        lease_secs: how long the queue waits for a beat.
        snapshot: gives the attempts that run, by job. Called in the heart's thread.
        on_pulse: told the answer to each beat, and the snapshot it is about. Called in the thread.
        on_silence: told that the lease may have run out. Called in a thread.
    """

    def __init__(
        self,
        database: Database,
        *,
        beat_secs: float,
        lease_secs: float,
        snapshot: Callable[[], dict[int, Running]],
        on_pulse: Callable[[int, Pulse, dict[int, Running]], None],
        on_silence: Callable[[int], None],
    ) -> None:
        self._database = database
        self._beat_secs = beat_secs
        self._lease = Lease(lease_secs, self._fall_silent)
        self._snapshot = snapshot
        self._on_pulse = on_pulse
        self._on_silence = on_silence
        self._worker_id = 0
        self._held_id = 0
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._at_connection = threading.Lock()
        self._latency_secs: float | None = None

    def start(self, worker_id: int) -> None:
        """Begin to beat for a worker; or go on for another, when it was registered anew."""
        self._worker_id = worker_id
        self._lease.begin()
        if self._thread is None:
            self._thread = threading.Thread(target=self._live, name="cuckmq-heart", daemon=True)
            self._thread.start()
        self._wake.set()  # At the start too: the second beat tells how long the first took.

    def beat_now(self) -> None:
        """Do not wait for the next beat: something may have been asked of this worker."""
        self._wake.set()

    def is_leased(self) -> bool:
        """Whether the lease still holds for sure, by the last beat that got through."""
        return self._lease.is_sure()

    def stop(self, timeout_secs: float) -> None:
        """Stop beating. Blocks until the thread is done, or the time is up."""
        self._is_stopping = True
        self._lease.stop()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_secs)

    def _live(self) -> None:
        while not self._is_stopping:
            worker_id, began_at = self._worker_id, time.monotonic()
            try:
                if self._connection is None:
                    self._connection = connect_sync(self._database.direct_dsn)
                    self._held_id = 0
                if worker_id:
                    self._hold(self._connection, worker_id)
                    self._beat(self._connection, worker_id, began_at)
            except Exception as error:
                known = isinstance(error, (psycopg.Error, OSError, CuckmqError))
                _logger.warning("worker %s: a beat failed: %s", worker_id, error, exc_info=not known)
                self._hang_up()
            pause_secs = self._beat_secs if self._connection is not None else min(0.5, self._beat_secs)
            self._wake.wait(max(0.0, began_at + pause_secs - time.monotonic()))
            self._wake.clear()
        self._hang_up()

    def _hang_up(self) -> None:
        # Under the lock, so that nobody cuts a socket whose number belongs to another file by now.
        with self._at_connection:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _hold(self, connection: psycopg.Connection[Any], worker_id: int) -> None:
        if self._held_id == worker_id or not is_direct(connection):
            return
        if self._held_id:
            connection.execute("select pg_catalog.pg_advisory_unlock_all()")
        if run_sync(connection, hold_worker(worker_id), self._database.schema)[0]:
            self._held_id = worker_id

    def _beat(self, connection: psycopg.Connection[Any], worker_id: int, began_at: float) -> None:
        asked = self._snapshot()
        numbers = [each.attempt.number for each in asked.values()]
        statement = heartbeat(
            worker_id,
            list(asked),
            numbers,
            latency_secs=self._latency_secs,
            beat_secs=self._beat_secs,
        )
        sent_at = time.monotonic()
        (pulse,) = run_sync(connection, statement, self._database.schema)
        self._latency_secs = time.monotonic() - sent_at
        if worker_id != self._worker_id:
            return
        if pulse.is_alive:
            self._lease.renew(began_at)
        else:
            self._worker_id = 0
            self._lease.end()
        self._on_pulse(worker_id, pulse, asked)

    def _fall_silent(self) -> None:
        worker_id, self._worker_id = self._worker_id, 0
        if not worker_id:
            return
        _logger.warning("worker %s got no beat through for so long that its lease may be over", worker_id)
        with self._at_connection:
            if self._connection is not None:
                cut(self._connection)
        self._on_silence(worker_id)
