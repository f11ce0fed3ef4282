"""How a server for tests is set."""

from __future__ import annotations

import os
from typing import Final

from cuckmq.database.embedded.postmaster import UNSAFE

#: Many workers, each with its pool.
SETTINGS: Final = {"max_connections": "200"}

#: The same for a server that is not ours to start, so that "not durable" must be said in settings.
UNSAFE_SETTINGS: Final = {**SETTINGS, **UNSAFE}


def wanted_major() -> int | None:
    """Return the PostgreSQL that CUCKMQ_TEST_PG_MAJOR asks for, if it does."""
    named = os.environ.get("CUCKMQ_TEST_PG_MAJOR")
    return int(named) if named else None
