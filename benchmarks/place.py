"""Where a benchmark runs: the server named by --dsn, or an embedded one that goes with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from cuckmq.database.embedded import EmbeddedPostgres

SCHEMA: Final = "_bench"

#: Nothing for speed, but room for many workers: durability and all else are as PostgreSQL ships.
SETTINGS: Final = {"max_connections": "400"}


@contextmanager
def server(dsn: str | None) -> Iterator[str]:
    """Give the DSN of a server: this one, or of a new one that ends with the benchmark."""
    with ExitStack() as stack:
        if dsn is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            dsn = stack.enter_context(EmbeddedPostgres.start(Path(folder), settings=SETTINGS)).dsn
        yield dsn
