"""Bring a server up, whatever state its last life left it in."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Final

from cuckmq.database.embedded.account import choose_account
from cuckmq.database.embedded.binaries import WAYS_TO_GO_ON, Binaries
from cuckmq.database.embedded.home import Home
from cuckmq.database.embedded.initialise import initialise
from cuckmq.database.embedded.locks import seized, try_seize
from cuckmq.database.embedded.portable import within_reach
from cuckmq.database.embedded.postmaster import is_ready, launch
from cuckmq.errors import NoDatabase

#: How long a server may take until it lets clients in. Recovery after a crash is part of it.
START_TIMEOUT_SECS: Final = 120.0
LOOK_SECS: Final = 0.01


def ensure_running(home: Home, binaries: Binaries, *, durable: bool, settings: Mapping[str, str]) -> None:
    """Return when the server lets clients in, and start it if nobody has. To be called by an owner.

    A server that is stopping, or whose postmaster was killed a moment ago, is first waited for.

    Raises:
        NoDatabase: it could not be started. The message has the server's own words.
    """
    deadline = time.monotonic() + START_TIMEOUT_SECS
    has_launched = False
    with seized(home.start) as start_lock:
        while not is_ready(home):
            server_lock = try_seize(home.server)
            if server_lock is None:
                _check_deadline(home, deadline)
                time.sleep(LOOK_SECS)
                continue
            try:
                if has_launched:
                    raise _failure(home, "ended before it let anybody in")
                account = choose_account()
                home.furnish(account)
                runnable = within_reach(binaries, account)
                initialise(home, runnable, account, durable=durable, start_lock=start_lock)
                launch(home, runnable, account, settings=settings, server_lock=server_lock)
            finally:
                os.close(server_lock)
            has_launched = True


def _check_deadline(home: Home, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise _failure(home, f"did not let anybody in within {START_TIMEOUT_SECS:g} s")


def _failure(home: Home, what: str) -> NoDatabase:
    words = home.log.read_text(errors="replace")[-4000:].strip() if home.log.exists() else ""
    return NoDatabase(f"the PostgreSQL in {home.folder} {what}. It said:\n{words}\n{WAYS_TO_GO_ON}")
