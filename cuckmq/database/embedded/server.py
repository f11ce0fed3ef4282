"""The server as its users hold it."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from cuckmq.database.embedded.binaries import Binaries, find_binaries
from cuckmq.database.embedded.home import Home
from cuckmq.database.embedded.locks import is_held, seized
from cuckmq.database.embedded.postmaster import UNSAFE, interrupt, postmaster_pid
from cuckmq.database.embedded.sharing import join
from cuckmq.database.embedded.starting import LOOK_SECS, ensure_running

PATIENCE_SECS: Final = 10.0
"""How long a server may take to stop in good order; as long as the reaper gives it."""

NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})


class EmbeddedPostgres:
    """A share in a running PostgreSQL server, from `start()` or `temporary()`.

    The server runs for as long as anybody, in any process, holds a share in it. A share ends with
    `close()`, with the `with` block, or with the process, however that ends.

    Attributes:
        directory: where the server's files are.
    """

    def __init__(
        self,
        directory: Path,
        binaries: Binaries,
        *,
        durable: bool,
        settings: Mapping[str, str],
        is_temporary: bool,
    ) -> None:
        # Not to be called by users: it has taken its share, but the server may not run yet.
        self.directory = directory.absolute()
        self._binaries = binaries
        self._durable = durable
        self._settings = settings if durable else {**UNSAFE, **settings}
        self._home = Home(self.directory / str(binaries.major))
        self._home.make()
        self._share: int | None = join(self._home, temporary=self.directory if is_temporary else None)

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        durable: bool = True,
        major: int | None = None,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> Self:
        """Start the server of a directory, or take a share in the one that runs.

        It blocks: for a second or two the first time, for about a tenth of that later.

        Args:
            directory: where its files are kept, in a folder per major version. Made if missing.
            durable: whether committed work survives a power cut. Without it all is faster, and the
                crash of a process still loses nothing.
            major: the PostgreSQL wanted; any if None.
            settings: of the server, by name. They hold from launch to stop: a server that runs
                already keeps those it was launched with (`durable` is made of three of them).

        Raises:
            NoDatabase: there are no binaries, or the server did not start. The message tells why and
                what can be done.
        """
        binaries = find_binaries(major)
        return cls._up(directory, binaries, durable=durable, settings=settings, is_temporary=False)

    @classmethod
    def temporary(
        cls,
        parent: Path | None = None,
        *,
        major: int | None = None,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> Self:
        """Start a server of one's own, not durable, that vanishes with all its files after its last owner.

        Args:
            parent: where to make its directory; in the temp folder if None.
            major: as of `start()`.
            settings: as of `start()`.

        Raises:
            NoDatabase: as from `start()`.
        """
        binaries = find_binaries(major)
        directory = Path(tempfile.mkdtemp(prefix="cuckmq-", dir=parent))
        return cls._up(directory, binaries, durable=False, settings=settings, is_temporary=True)

    @property
    def dsn(self) -> str:
        """How to connect, as the superuser, to the database `postgres`. It stays when the server restarts."""
        return self._home.dsn

    @property
    def version(self) -> str:
        """The version of the binaries, such as `18.4`."""
        return self._binaries.version

    @property
    def binaries(self) -> Path:
        """The folder of the programs it was started from."""
        return self._binaries.folder

    @property
    def pid(self) -> int | None:
        """The process id of the server, or None if it does not run."""
        return postmaster_pid(self._home) if is_held(self._home.server) else None

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the server though it has owners, and return when none of its processes is left.

        Args:
            at_once: as a crash would, so that it recovers at its next start. Otherwise in good order:
                transactions are rolled back, clients sent away. If it has not gone after ten seconds it is
                told to go at once: PostgreSQL 18 never goes if it is asked while it recovers from a crash of
                one of its processes.
        """
        with seized(self._home.start):
            patience_at = time.monotonic() + PATIENCE_SECS
            how = signal.SIGQUIT if at_once else signal.SIGINT
            interrupt(self._home, how)
            while is_held(self._home.server):
                time.sleep(LOOK_SECS)
                if how is signal.SIGINT and time.monotonic() > patience_at:
                    how = signal.SIGQUIT
                    interrupt(self._home, how)

    def resume(self) -> None:
        """Start the server again, at the same DSN, if it does not run: it was stopped, or it crashed.

        Raises:
            NoDatabase: it did not start.
        """
        ensure_running(self._home, self._binaries, durable=self._durable, settings=self._settings)

    def close(self) -> None:
        """End this share, without waiting. The server stops if it was the last. May be called again."""
        if self._share is not None:
            os.close(self._share)
            self._share = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def _up(cls, *args: Any, **kwargs: Any) -> Self:
        server = cls(*args, **kwargs)
        try:
            server.resume()
        except BaseException:
            server.close()
            raise
        return server
