"""Where a definition lives: its context, as seen from below."""

from __future__ import annotations

from typing import Any, Protocol

from cuckmq.database.database import Database
from cuckmq.database.endings import Endings
from cuckmq.hub import EventHub
from cuckmq.plugin import Plugins
from cuckmq.redaction import Redaction
from cuckmq.wakes import Wakes


class Home(Protocol):
    """What a definition needs of its context. It stands below definitions, so it names them Any."""

    @property
    def database(self) -> Database:
        """Where statements are run."""
        ...

    @property
    def endings(self) -> Endings:
        """Who waits for jobs to end."""
        ...

    @property
    def events(self) -> EventHub:
        """Who is told."""
        ...

    @property
    def plugins(self) -> Plugins:
        """Who is asked before jobs are put in."""
        ...

    @property
    def redaction(self) -> Redaction:
        """What may be told of errors."""
        ...

    @property
    def wakes(self) -> Wakes:
        """Who is woken."""
        ...

    @property
    def max_payload_bytes(self) -> int:
        """How large payloads may be, where a definition says nothing else."""
        ...

    @property
    def known(self) -> dict[int, Any]:
        """Definitions by their ids in the database."""
        ...

    def register(self, definition: Any) -> None:
        """Take in a definition, or refuse its name."""
        ...
